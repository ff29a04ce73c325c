"""What views compute with: `keras.ops`, also where tf.data traces them on another backend."""

import contextlib
import contextvars
import sys

import keras

from keras_ssl import _internals
from keras_ssl import _tensorflow as tf

_on_device = contextvars.ContextVar("on_device", default=False)


class _Ops:
    """The functions of `keras.ops`, those of Keras on TensorFlow where tensors are TensorFlow's."""

    def __getattr__(self, name):
        is_other = keras.backend.backend() != "tensorflow" and uses_tensorflow()
        return getattr(_internals.tensorflow_ops() if is_other else keras.ops, name)


ops = _Ops()


def uses_tensorflow():
    """Returns whether tensors are TensorFlow's: on its backend, and in functions of tf.data."""
    if keras.backend.backend() == "tensorflow":
        return True
    # Of a module that is loaded lazily, only the name is there.
    return "tensorflow.python" in sys.modules and not tf.executing_eagerly()


@contextlib.contextmanager
def device_views():
    """Makes views for a training step: each operation runs on all images of a batch."""
    token = _on_device.set(True)
    try:
        yield
    finally:
        _on_device.reset(token)


def selects_images():
    """Returns whether operations run on the images that they change only.

    Shapes depend on the random numbers then, which compilers of devices do not support.
    """
    return uses_tensorflow() and not _on_device.get()


def take_rows(x, indices):
    """Returns rows of a tensor by indices of at least 0.

    `keras.ops.take` also takes negative ones, which costs time, and fails on an empty batch on JAX.
    """
    return tf.gather(x, indices) if uses_tensorflow() else x[indices]


def matmul(x, y):
    """As `keras.ops.matmul`, in full float32 precision on accelerators too."""
    with _internals.highest_matmul_precision():
        return ops.matmul(x, y)


def without_autograph(function):
    """Returns a function that TensorFlow traces as it is, if it is there.

    AutoGraph would take longer to rewrite views than TensorFlow takes for everything else before
    the first step.
    """
    if not uses_tensorflow():
        return function
    return tf.autograph.experimental.do_not_convert(function)
