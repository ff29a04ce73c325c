"""Large images are changed one after the other: each stays in a core's cache on its way.

A view that can do so says what it does to one image in `plan`; `Compose` passes each image through
as many plans as follow one another, so that what a coin leaves as it is costs nothing.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

# Pixels from which it pays. Measured on one core, for colors: twice the time at 32 x 32, the same
# at 96 x 96, half of it at 224 x 224.
LARGE = 96 * 96


class PerImageOp(NamedTuple):
    """What happens to each image of a batch.

    Args:
        change: Function from an image `(H, W, C)` and its rows of `parameters` to an image, which
            TensorFlow traces as it is written: no `if` on a tensor.
        parameters: Tuple of tensors with the batch as their first axis.
        shape: Static shape of what comes out.
    """

    change: Callable
    parameters: tuple
    shape: Any


def is_large(shape):
    """Whether images of a shape `(H, W, C)` are known to be large."""
    return (shape[:2].num_elements() or 0) >= LARGE


@tf.autograph.experimental.do_not_convert
def apply_per_image(plans, images):
    """Passes each image of a batch through all plans; returns float32 images."""
    if not plans:
        return images

    count, shape = tf.shape(images)[0], plans[-1].shape

    def one(index, made):
        image = images[index]
        for plan in plans:
            image = plan.change(image, *[each[index] for each in plan.parameters])
        return index + 1, tf.raw_ops.InplaceUpdate(x=made, i=index[None], v=image[None])

    # A list to stack in the end, as of `tf.map_fn`, holds all images twice: fresh memory, whose
    # pages cost as much time as the views themselves.
    empty = tf.raw_ops.Empty(shape=[count, *shape], dtype=tf.float32)
    start = (tf.constant(0), empty)
    made = tf.while_loop(lambda index, _: index < count, one, start, parallel_iterations=1)[1]
    return tf.ensure_shape(made, (images.shape[0], *shape))


def apply_where_chosen(function, chosen, *parameters, shape):
    """The plan to change those images that are chosen, bool `(B,)`, and leave the others."""

    def change(image, is_chosen, *own):
        return tf.cond(is_chosen, lambda: function(image, *own), lambda: image)

    return PerImageOp(change, (chosen, *parameters), shape)


@functools.cache
def supports_xla():
    """Whether this TensorFlow has a compiler for the processor."""
    try:
        with tf.init_scope(), tf.device("CPU:0"):
            xla_jit(lambda x: x + 1.0)(tf.zeros(1))
    except (tf.errors.OpError, NotImplementedError, ValueError):
        return False
    return True


def xla_jit(function):
    """Returns a function compiled as it is written."""
    return tf.function(function, jit_compile=True, autograph=False)
