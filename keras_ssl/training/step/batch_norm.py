"""Batch norm of Keras while a training step is traced on TensorFlow: of the whole batch, or fast.

Both are switches for the time of the trace alone: the layers stay Keras's own, with their weights
and their config, and load anywhere.
"""

import contextlib
import functools

import keras
import lazy_loader

from keras_ssl import distribute

tf = lazy_loader.load("tensorflow")
PLAIN_CALL = keras.layers.BatchNormalization.call


@contextlib.contextmanager
def training_batch_norm(model):
    """Lets batch norm see the batch of all replicas, or, of one, run as one fused operation.

    Args:
        model: Method with `batch_norm_layers()`.
    """
    several = distribute.num_replicas() > 1
    layers = [layer for layer in model.batch_norm_layers() if not layer.synchronized]
    if not several:  # a subclass may have a `call` of its own
        layers = [layer for layer in layers if type(layer).call is PLAIN_CALL]
    for layer in layers:
        if several:
            layer.synchronized = True
        else:
            layer.call = functools.partial(_fused, layer)
    try:
        yield
    finally:
        for layer in layers:
            if several:
                layer.synchronized = False
            else:
                del layer.call


def _fused(layer, inputs, training=None, mask=None):
    """`layer.call`, in one pass of TensorFlow's over images where it has one.

    Keras takes mean, variance and product one after the other, and in half precision casts to
    float32 and back: several times as long on a processor (benchmarks/batch_norm.py).
    """
    if not training or mask is not None or not _can_fuse(layer, inputs):
        return PLAIN_CALL(layer, inputs, training=training, mask=mask)
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
    variance *= (count - 1) / count  # TensorFlow's is that of a sample, Keras's of the batch
    for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + new * (1 - layer.momentum))
    outputs = outputs if len(inputs.shape) == 4 else outputs[:, 0, 0]
    return tf.cast(outputs, layer.compute_dtype)


def _can_fuse(layer, inputs):
    """Whether TensorFlow's operation does what this layer does."""
    rank = len(inputs.shape)
    return (
        layer.trainable
        and not layer.renorm
        and rank in (2, 4)
        and layer.axis in (-1, rank - 1)
        and inputs.dtype in (tf.float32, tf.bfloat16, tf.float16)
        and layer.variable_dtype == "float32"
    )
