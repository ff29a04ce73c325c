"""Batch normalization while a training step is traced on TensorFlow.

Keras's layers are switched for the time of the trace only: to the whole batch of all replicas, or,
on one replica, to one fused operation. Their weights and config stay Keras's own.
"""

import contextlib
import functools

import keras
import lazy_loader

from keras_ssl import _internals, distribute

tf = lazy_loader.load("tensorflow")
KERAS_CALL = keras.layers.BatchNormalization.call


@contextlib.contextmanager
def training_batch_norm(model):
    """Synchronizes or fuses the batch normalization layers of a model inside the context.

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
            layer.call = functools.partial(_fused_call, layer)
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


def _fused_call(layer, inputs, training=None, mask=None):
    """`layer.call` as one TensorFlow operation, if there is one for its arguments.

    Keras computes mean, variance and product one after the other, and casts half precision to
    float32 and back, which takes several times as long on a CPU (benchmarks/batch_norm.py).
    """
    if not training or mask is not None or not _can_fuse(layer, inputs):
        return KERAS_CALL(layer, inputs, training=training, mask=mask)
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
    for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + new * (1 - layer.momentum))
    outputs = outputs if len(inputs.shape) == 4 else outputs[:, 0, 0]
    return tf.cast(outputs, layer.compute_dtype)


def _can_fuse(layer, inputs):
    """Returns whether TensorFlow's operation computes what this layer computes."""
    rank = len(inputs.shape)
    return (
        layer.trainable
        and not layer.renorm
        and rank in (2, 4)
        and layer.axis in (-1, rank - 1)
        and inputs.dtype in (tf.float32, tf.bfloat16, tf.float16)
        and layer.variable_dtype == "float32"
    )
