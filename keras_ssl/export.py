"""Export of trained networks to artifacts that need neither keras_ssl nor Keras."""

import tempfile
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from keras_ssl import _internals
from keras_ssl import _tensorflow as tf
from keras_ssl._types import PathLike, Tensor
from keras_ssl.images import image_shape


def serving_model(model: keras.Model) -> keras.Model:
    """Wraps a network so that it takes `uint8` images and returns float32.

    Args:
        model: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.

    Returns:
        A functional `keras.Model` from `uint8` images in 0..255 of the same shape to `(B, D)` in
        float32, or in float64 if that is Keras's `floatx`.
    """
    floatx = keras.config.floatx()
    images = keras.Input(_export_shape(model), dtype="uint8", name="images")
    unit_images = layers.Rescaling(1 / 255, dtype=floatx)(images)
    outputs = model(unit_images, training=False)
    features = layers.Identity(dtype=floatx, name="features")(outputs)
    return keras.Model(images, features, name=model.name)


def write(
    model: keras.Model, path: PathLike, format: str = "tf_saved_model", **kwargs: Any
) -> None:
    """Exports a network with `keras.Model.export`, so that it takes `uint8` images.

    Args:
        model: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        path: Path of the artifact.
        format: As in `keras.Model.export`.
        **kwargs: Other arguments of `keras.Model.export`.
    """
    if format == "tf_saved_model":
        kwargs = {**_backend_options(), **kwargs}
    serving_model(model).export(path, format=format, **kwargs)


def write_text(
    model: keras.Model,
    path: PathLike,
    length: int,
    tokenize: Callable[[Tensor], Tensor] | None = None,
    tokenizer: keras.Layer | None = None,
) -> None:
    """Exports a text network as a TensorFlow SavedModel that takes captions or token ids.

    Args:
        model: Built `keras.Model` from int token ids `(B, T)` to `(B, D)`.
        path: Path of the SavedModel.
        length: Int, T.
        tokenize: Function from a string tensor `(B,)` to token ids `(B, T)`. With None the
            SavedModel takes token ids.
        tokenizer: Layer that `tokenize` uses, if any.
    """
    archive = keras.export.ExportArchive()
    archive.track(model)
    token_ids = [tf.TensorSpec((None, length), tf.int32, "token_ids")]
    archive.add_endpoint("serve", model.__call__, token_ids, **_backend_options())
    if tokenize is None:
        archive.write_out(path, verbose=False)
        return
    # Strings are TensorFlow's, and Keras's archive cannot combine them with a network of JAX. So
    # the network is exported first, then loaded into a module together with the tokenizer.
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        module = tf.Module()
        module.network = tf.saved_model.load(folder)
        module.tables = _lookup_tables(tokenizer)
        captions = [tf.TensorSpec((None,), tf.string, "captions")]
        module.serve = tf.function(
            lambda captions: module.network.serve(tokenize(captions)), input_signature=captions
        )
        tf.saved_model.save(module, path, signatures=module.serve)


def _backend_options():
    if keras.backend.backend() != "jax":
        return {}
    # JAX cannot export the gradient of a strided convolution of images of unknown size.
    return {"jax2tf_kwargs": {"with_gradient": False}}


def _lookup_tables(tokenizer):
    """Returns the lookup tables of a tokenizer, which a `tf.Module` must track to save them."""
    return [
        attribute
        for layer in _internals.iter_layers(tokenizer)
        for attribute in vars(layer).values()
        if isinstance(attribute, tf.lookup.StaticHashTable)
    ]


def _export_shape(model):
    """Returns the shape of exported images.

    This is `image_shape`, except for vision transformers on JAX, which exports them for one size.
    """
    if keras.backend.backend() == "jax":
        for layer in _internals.iter_layers(model):
            if hasattr(layer, "patch_size") and hasattr(layer, "image_shape"):
                return layer.image_shape
    return image_shape(model)
