"""TensorFlow, imported on first use: `from keras_ssl import _tensorflow as tf`.

`import keras_ssl` thus works without TensorFlow, and another backend keeps its GPU to itself.
"""

import functools
import warnings

import keras


def __getattr__(name):
    if name.startswith("__"):  # asked by Python's own machinery, also without TensorFlow
        raise AttributeError(name)
    return getattr(_tensorflow(), name)


@functools.cache
def _tensorflow():
    try:
        import tensorflow
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise ModuleNotFoundError(
            "This needs TensorFlow, which is not installed: pip install 'keras_ssl[tensorflow]'",
            name="tensorflow",
        ) from None
    if keras.backend.backend() != "tensorflow":
        _hide_gpus(tensorflow)
    return tensorflow


def _hide_gpus(tensorflow):
    """Keeps TensorFlow from taking the memory of the GPUs, on which another backend computes."""
    try:
        tensorflow.config.set_visible_devices([], "GPU")
    except RuntimeError:  # the program used TensorFlow before
        if tensorflow.config.list_logical_devices("GPU"):
            warnings.warn(
                "TensorFlow has taken the memory of the GPU, which the "
                f"{keras.backend.backend()} backend needs. Call "
                'tf.config.set_visible_devices([], "GPU") before any other use of TensorFlow.',
                stacklevel=2,
            )
