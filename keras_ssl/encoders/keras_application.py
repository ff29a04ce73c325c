"""Networks of `keras.applications` as encoders, each with its own preprocessing."""

import difflib
import importlib
import warnings

import keras
import numpy as np
from keras import layers, ops

from keras_ssl._types import PathLike
from keras_ssl.encoders.blocks import check_input_shape, scale_and_shift


def keras_application(
    name: str,
    weights: PathLike | None = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
) -> keras.Model:
    """Builds an encoder from a network of `keras.applications`.

    These networks expect different pixels: 0..255 in BGR order minus a mean, -1..1, standardized
    channels, or raw 0..255. The encoder takes floats in 0..1, like all encoders of this package,
    and applies what `keras.applications.<module>.preprocess_input` does to 0..255. It consists of
    Keras layers only, so that a saved encoder loads without keras_ssl.

    The batch norms of these networks use a momentum of 0.99 or 0.999. If random weights are
    trained for a few hundred steps only, the moving statistics are still close to their initial
    values at inference.

    Args:
        name: Name of a function of `keras.applications`, such as "MobileNetV2".
        weights: None for random weights, "imagenet" (downloaded on first use), or the path of a
            weights file.
        input_shape: `(H, W, C)`. C is 3, or 1 for gray images, which are repeated to three
            channels. None means C = 3. The network takes images of any size that it does not
            shrink to nothing. If H and W are given, they are checked. Only NASNet is built for one
            size and requires it.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`,
        averaged over positions, in float32 (`floatx`) under any precision policy.

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If there is no such network, or an argument is out of range.

    Source:
        https://keras.io/api/applications, which names each network's paper.
    """
    build = _find_application(name)
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "keras.applications follow Keras's global image data format, and images are "
            "channels-last here: call keras.config.set_image_data_format('channels_last') first."
        )
    shape = (None, None, 3) if input_shape is None else check_input_shape(input_shape)
    if shape[2] not in (1, 3):
        raise ValueError(
            f"`input_shape` {shape} has {shape[2]} channels; keras.applications take 3, or 1 here "
            "for gray images."
        )
    size = (None, None)
    if name.startswith("NASNet"):  # Keras computes its padding for one size only
        size = shape[:2]
        if None in size:
            raise ValueError(
                f"`input_shape` must have a height and a width for {name}, received {shape}."
            )
    with warnings.catch_warnings():
        # MobileNets warn that weights for another size are loaded. All sizes have the same weights.
        warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
        network = build(include_top=False, weights=weights, input_shape=(*size, 3), pooling="avg")

    floatx = keras.config.floatx()
    images = keras.Input((*size, shape[2]), name="images")
    x = images
    if shape[2] == 1:
        x = layers.Concatenate(dtype=floatx, name="gray_to_rgb")([images] * 3)
    x = _preprocess(x, build)
    features = layers.Identity(dtype=floatx, name="features")(network(x))
    encoder = keras.Model(images, features, name=name.lower())
    _check_size(encoder, shape)
    return encoder


def _find_application(name):
    """Returns the function of `keras.applications` that builds a network."""
    names = [
        attribute
        for attribute, value in vars(keras.applications).items()
        if attribute[0].isupper() and callable(value)
    ]
    if name in names:
        return getattr(keras.applications, name)
    by_lowercase = {network.lower(): network for network in names}
    matches = difflib.get_close_matches(str(name).lower(), by_lowercase, n=3, cutoff=0.5)
    close = ", ".join(by_lowercase[match] for match in matches)
    hint = f"Did you mean {close}? " if close else ""
    raise ValueError(
        f"`name` must be a network of keras.applications, received {name!r}. {hint}"
        f"All networks: {', '.join(sorted(names))}."
    )


def _preprocess(x, build):
    """Applies the `preprocess_input` of a network to pixels in 0..1.

    All of these functions are affine per channel, and some reverse the channels. Their values for
    black and the three pure colors therefore determine them.
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
    return scale_and_shift(x, scale.tolist(), black.tolist())


def _check_size(encoder, shape):
    if None in shape:
        return
    try:
        encoder.compute_output_spec(keras.KerasTensor((None, *shape), keras.config.floatx()))
    except ValueError as error:
        raise ValueError(
            f"`input_shape` {shape} does not pass through {encoder.name}; it may be too small. "
            f"Keras reports: {error}"
        ) from error
