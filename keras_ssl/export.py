"""Turns a trained network into a SavedModel that needs neither keras_ssl nor Keras."""

import tempfile

import keras
from keras import layers

from keras_ssl.images import image_shape


def serving_model(model):
    """Wraps a network of 0..1 floats so that it takes `uint8` images and returns float32.

    Args:
        model: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.

    Returns:
        A functional `keras.Model` from `uint8` images 0..255 of the same shape to `(B, D)` in
        float32 (in float64 where that is Keras's `floatx`).
    """
    floatx = keras.config.floatx()
    images = keras.Input(_shape_for_export(model), dtype="uint8", name="images")
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


def write_text(model, path, length, to_words=None, tokenizer=None):
    """Exports a network of words as a TensorFlow SavedModel that takes text, or words.

    Args:
        model: Built `keras.Model` from int words `(B, T)` to `(B, D)`.
        path: Where the artifact goes.
        length: Int, T.
        to_words: Function from a string tensor `(B,)` to words `(B, T)`; None to take words.
        tokenizer: The layer that `to_words` uses, if any.
    """
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    words = [tf.TensorSpec((None, length), tf.int32, "words")]
    is_jax = keras.backend.backend() == "jax"
    options = {"jax2tf_kwargs": {"with_gradient": False}} if is_jax else {}
    archive.add_endpoint("serve", model.__call__, words, **options)
    if to_words is None:
        archive.write_out(path, verbose=False)
        return
    # Text is TensorFlow's alone, which Keras's archive does not join with a network of JAX.
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        both = tf.Module()
        both.network = tf.saved_model.load(folder)
        both.tables = [
            part
            for layer in tokenizer._flatten_layers()
            for part in vars(layer).values()
            if isinstance(part, tf.lookup.StaticHashTable)
        ]
        captions = [tf.TensorSpec((None,), tf.string, "captions")]
        both.serve = tf.function(
            lambda captions: both.network.serve(to_words(captions)), input_signature=captions
        )
        tf.saved_model.save(both, path, signatures=both.serve)


def _shape_for_export(model):
    """What `image_shape` returns; on JAX one size where patches are cut, which it must know."""
    if keras.backend.backend() == "jax":
        for layer in (model, *model._flatten_layers()):
            if hasattr(layer, "patch_size") and hasattr(layer, "image_shape"):
                return layer.image_shape
    return image_shape(model)
