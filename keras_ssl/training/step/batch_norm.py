"""Batch normalization while a training step is traced.

Keras's layers are switched for the time of the trace only: to the whole batch of all replicas, or,
on one replica, to statistics that are computed in one pass over the activations. Their weights and
config stay Keras's own.
"""

import contextlib
import functools

import keras
from keras import ops

from keras_ssl import _internals, distribute
from keras_ssl import _tensorflow as tf

KERAS_CALL = keras.layers.BatchNormalization.call


@contextlib.contextmanager
def training_batch_norm(model):
    """Synchronizes or speeds up the batch normalization layers of a model inside the context.

    Args:
        model: `keras.Model`.
    """
    has_replicas = distribute.num_replicas() > 1
    layers = [layer for layer in batch_norm_layers(model) if not layer.synchronized]
    if not has_replicas:  # a subclass may have its own `call`
        layers = [layer for layer in layers if type(layer).call is KERAS_CALL]
    for layer in layers:
        if has_replicas:
            layer.synchronized = True
        else:
            layer.call = functools.partial(_one_pass_call, layer)
    try:
        yield
    finally:
        for layer in layers:
            if has_replicas:
                layer.synchronized = False
            else:
                del layer.call


def batch_norm_layers(model):
    """Returns all batch normalization layers of a model, of its heads and EMA copies."""
    norm = keras.layers.BatchNormalization
    return [layer for layer in _internals.iter_layers(model) if isinstance(layer, norm)]


def _one_pass_call(layer, inputs, training=None, mask=None):
    """`layer.call` with mean and variance from one pass, if its arguments are common ones.

    Keras computes the mean, then the variance from it. That takes several times as long on a CPU
    with TensorFlow (benchmarks/batch_norm.py), and a tenth of the memory traffic of a step on a GPU
    with JAX (benchmarks/h100.py).
    """
    normalize = _normalize_on_jax
    if keras.backend.backend() == "tensorflow":
        normalize = _normalize_on_tensorflow
    if not training or mask is not None or not _is_common(layer, inputs):
        return KERAS_CALL(layer, inputs, training=training, mask=mask)
    outputs, mean, variance = normalize(layer, inputs)
    for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + new * (1 - layer.momentum))
    return ops.cast(outputs, layer.compute_dtype)


def _is_common(layer, inputs):
    """Returns whether the layer normalizes the last axis of its whole input."""
    rank = len(inputs.shape)
    if not layer.trainable or layer.renorm or rank not in (2, 4):
        return False
    if layer.axis not in (-1, rank - 1):
        return False
    if keras.backend.backend() != "tensorflow":
        return True
    return inputs.dtype != tf.float64 and layer.variable_dtype == "float32"


def _normalize_on_jax(layer, inputs):
    """Returns outputs, mean and variance, which is the mean of squares less the squared mean.

    In float32 that loses digits of the variance of channels whose mean is many times their standard
    deviation: a relative 1e-7 times the square of this ratio.
    """
    axes = list(range(len(inputs.shape) - 1))
    inputs = ops.cast(inputs, layer.variable_dtype)
    mean = ops.mean(inputs, axis=axes)
    variance = ops.maximum(ops.mean(ops.square(inputs), axis=axes) - ops.square(mean), 0.0)
    scale = ops.rsqrt(variance + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * layer.gamma
    offset = -mean * scale
    if layer.beta is not None:
        offset = offset + layer.beta
    return inputs * scale + offset, mean, variance


def _normalize_on_tensorflow(layer, inputs):
    """Returns outputs, mean and variance of TensorFlow's fused operation."""
    width = inputs.shape[-1]
    images = inputs if len(inputs.shape) == 4 else inputs[:, None, None]
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=tf.ones(width) if layer.gamma is None else layer.gamma.value,
        offset=tf.zeros(width) if layer.beta is None else layer.beta.value,
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(inputs) // width, variance.dtype)
    variance *= (count - 1) / count  # TensorFlow's is unbiased, Keras's is not
    return outputs if len(inputs.shape) == 4 else outputs[:, 0, 0], mean, variance
