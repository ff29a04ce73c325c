"""Operations on one image at a time, which are faster for large images.

A large image stays in the cache of a core from the first operation to the last, and an operation
that is skipped costs nothing. `Compose` applies consecutive operations image by image.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from keras_ssl import _tensorflow as tf

# Pixels from which one image at a time is faster. Time relative to the whole batch at once,
# measured on one core for color jitter: 2 at 32 x 32, 1 at 96 x 96, 0.5 at 224 x 224.
MIN_PIXELS = 96 * 96


class PerImageOp(NamedTuple):
    """An operation on each image of a batch.

    Args:
        apply: Function from an image `(H, W, C)` and its rows of `parameters` to an image. It is
            traced without AutoGraph, so it must not use `if` on a tensor.
        parameters: Tuple of tensors with the batch as their first axis.
        shape: Static shape `(h, w, C)` of the output.
    """

    apply: Callable
    parameters: tuple
    shape: Any


def is_large(shape):
    """Returns whether images of static shape `(H, W, C)` are known to be large."""
    return num_pixels(shape) >= MIN_PIXELS


def num_pixels(shape):
    """Returns the pixels of images of static shape `(H, W, C)`, 0 if unknown."""
    return 0 if None in shape[:2] else shape[0] * shape[1]


def apply_per_image(ops, images):
    """Applies a list of operations to each image of a batch.

    Args:
        ops: List of `PerImageOp`.
        images: `(B, H, W, C)`.

    Returns:
        float32 tensor `(B, h, w, C)`; `images` if the list is empty.
    """
    if not ops:
        return images

    batch_size, shape = tf.shape(images)[0], ops[-1].shape

    def transform_image(index, results):
        image = images[index]
        for op in ops:
            image = op.apply(image, *[parameter[index] for parameter in op.parameters])
        return index + 1, tf.raw_ops.InplaceUpdate(x=results, i=index[None], v=image[None])

    # `tf.map_fn` stacks a list of results, which holds all images twice. Touching that much fresh
    # memory takes as long as the operations themselves.
    results = tf.raw_ops.Empty(shape=[batch_size, *shape], dtype=tf.float32)
    _, results = tf.while_loop(
        lambda index, _: index < batch_size,
        transform_image,
        (tf.constant(0), results),
        parallel_iterations=1,
    )
    return tf.ensure_shape(results, (images.shape[0], *shape))


def conditional_op(function, selected, *parameters, shape):
    """Returns the operation that changes selected images, bool `(B,)`, and keeps the others."""

    def apply(image, is_selected, *parameters):
        return tf.cond(is_selected, lambda: function(image, *parameters), lambda: image)

    return PerImageOp(apply, (selected, *parameters), shape)


@functools.cache
def supports_xla():
    """Returns whether this build of TensorFlow can compile for the CPU."""
    try:
        with tf.init_scope(), tf.device("CPU:0"):
            xla_jit(lambda x: x + 1.0)(tf.zeros(1))
    except (tf.errors.OpError, NotImplementedError, ValueError):
        return False
    return True


def xla_jit(function):
    """Returns a function compiled by XLA, without AutoGraph."""
    return tf.function(function, jit_compile=True, autograph=False)
