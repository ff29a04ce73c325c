"""Turns a trained network into a SavedModel that needs neither keras_ssl nor Keras."""

import keras
from keras import layers


def serving_model(model):
    """Wraps a network of 0..1 floats so that it takes `uint8` images and returns float32.

    Args:
        model: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.

    Returns:
        A functional `keras.Model` from `uint8` images 0..255 of the same shape to `(B, D)` in
        float32 (in float64 where that is Keras's `floatx`).
    """
    floatx = keras.config.floatx()
    images = keras.Input(image_shape(model), dtype="uint8", name="images")
    unit = layers.Rescaling(1 / 255, dtype=floatx)(images)
    features = layers.Identity(dtype=floatx, name="features")(model(unit, training=False))
    return keras.Model(images, features, name=model.name)


def write(model, path, format="tf_saved_model", **kwargs):
    """Exports a network of 0..1 floats by Keras's `export`, so that it takes `uint8` images.

    Args:
        model: As in `serving_model`.
        path: Where the artifact goes.
        format: As in `keras.Model.export`.
        **kwargs: Passed on to `keras.Model.export`.
    """
    if keras.backend.backend() == "jax" and format == "tf_saved_model":
        # JAX cannot differentiate a strided convolution of images whose size is left open.
        kwargs = {"jax2tf_kwargs": {"with_gradient": False}, **kwargs}
    serving_model(model).export(path, format=format, **kwargs)


def image_shape(model):
    """Returns the `(H, W, C)` that a network takes, with None where any size will do."""
    try:
        shape = model.input_shape
    except AttributeError:  # a subclassed model has no symbolic input
        shape = (model.get_build_config() or {}).get("input_shape") or (None,) * 4
    return tuple(shape[1:])
