"""The networks of `keras.applications` as encoders, with the preprocessing each was made for."""

import difflib
import importlib
import warnings

import keras
import numpy as np
from keras import layers, ops

from keras_ssl.encoders.blocks import affine, check_input_shape


def keras_application(name, weights=None, input_shape=None):
    """Builds an encoder from a network of `keras.applications`.

    Those networks differ in the pixels that they expect: 0..255 in BGR order less a mean, -1..1,
    standardized channels, or 0..255 as they are. This one takes floats 0..1, as all encoders
    here, and turns them into what `keras.applications.<module>.preprocess_input` returns for
    0..255. It is made of Keras's own layers: a saved one loads without keras_ssl.

    Their batch norms keep 0.99 or 0.999 of their statistics each step: of random weights trained
    for a few hundred steps only, features are those of statistics still near their start.

    Args:
        name: Name of a function of `keras.applications`, such as "MobileNetV2".
        weights: None for random ones, "imagenet" (downloaded when first used), or the path of a
            weights file.
        input_shape: `(H, W, C)`, C 3, or 1 for gray images, which are repeated to three channels.
            None means C = 3. The network takes images of any size that it does not shrink to
            nothing; H and W, where given, are checked to be such a size. NASNet alone is built
            for one size, and needs it.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`,
        averaged over positions, float32 whatever the precision policy (`floatx`).

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If there is no such network, or an argument is not as described.

    Source:
        https://keras.io/api/applications, where each network's paper is named.
    """
    build = _function(name)
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "keras.applications follow Keras's global image data format, and images here have "
            "their channels last: call keras.config.set_image_data_format('channels_last') first."
        )
    shape = (None, None, 3) if input_shape is None else check_input_shape(input_shape)
    if shape[2] not in (1, 3):
        raise ValueError(
            f"`input_shape` {shape} has {shape[2]} channels; keras.applications take 3, or 1 here "
            "for gray images."
        )
    size = (None, None)
    if name.startswith("NASNet"):  # Keras pads it for one size, and for an open one wrongly
        size = shape[:2]
        if None in size:
            raise ValueError(f"`input_shape` must say height and width for {name}: it is {shape}.")
    with warnings.catch_warnings():
        # MobileNets say that weights for another size are loaded: they are the same for all.
        warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
        network = build(include_top=False, weights=weights, input_shape=(*size, 3), pooling="avg")

    floatx = keras.config.floatx()
    images = keras.Input((*size, shape[2]), name="images")
    x = (
        layers.Concatenate(dtype=floatx, name="gray_to_rgb")([images] * 3)
        if shape[2] == 1
        else images
    )
    x = _preprocess(x, build)
    features = layers.Identity(dtype=floatx, name="features")(network(x))
    encoder = keras.Model(images, features, name=name.lower())
    _check_size(encoder, shape)
    return encoder


def _function(name):
    """Returns the function of `keras.applications` that builds a network."""
    names = [
        each
        for each, value in vars(keras.applications).items()
        if each[0].isupper() and callable(value)
    ]
    if name in names:
        return getattr(keras.applications, name)
    lower = {each.lower(): each for each in names}
    close = difflib.get_close_matches(str(name).lower(), lower, n=3, cutoff=0.5)
    hint = f"Close to it: {', '.join(lower[each] for each in close)}. " if close else ""
    raise ValueError(
        f"`name` must be a network of keras.applications, received {name!r}. {hint}"
        f"All: {', '.join(sorted(names))}."
    )


def _preprocess(x, build):
    """Adds the `preprocess_input` that belongs to a network, for pixels in 0..1.

    Each of these functions maps channels affinely, some in reverse order: what it makes of black
    and of the three pure colors says all about it.
    """
    module = importlib.import_module(build.__module__)
    colors = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)]).astype("float64")
    black, *pure = module.preprocess_input(colors[None, None], data_format="channels_last")[0, 0]
    by_channel = np.array(pure) - black
    is_reversed = by_channel[0, 0] == 0
    scale = np.diag(by_channel[:, ::-1] if is_reversed else by_channel)
    if is_reversed:
        x = ops.flip(x, axis=-1)
        scale = scale[::-1]
    return affine(x, scale.tolist(), black.tolist())


def _check_size(encoder, shape):
    if None in shape:
        return
    try:
        encoder.compute_output_spec(keras.KerasTensor((None, *shape), keras.config.floatx()))
    except ValueError as error:
        raise ValueError(
            f"`input_shape` {shape} does not pass through {encoder.name}; it may be too small. "
            f"Keras says: {error}"
        ) from error
