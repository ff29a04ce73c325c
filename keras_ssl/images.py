"""Image ranges, shapes and the validation of image batches."""

from typing import Any

import keras
import numpy as np
from keras import config, ops

from keras_ssl._types import Tensor

# Interpolation may overshoot 0..1 a little; 0..255 is far outside.
LOWEST_PIXEL, HIGHEST_PIXEL = -0.5, 1.5


def to_unit_range(images: Tensor) -> Tensor:
    """Returns images as floats: uint8 is scaled from 0..255 to 0..1, floats are unchanged."""
    images = ops.convert_to_tensor(images)
    if images.dtype == "uint8":
        return ops.cast(images, config.floatx()) / 255
    return images


def check_eager_range(images: Any) -> None:
    """Raises ValueError if images of a known value are out of range; does nothing when traced."""
    if isinstance(images, keras.KerasTensor) or not hasattr(images, "dtype"):
        return
    try:
        check_range(np.asarray(images), "images")
    except (TypeError, NotImplementedError):  # traced: the data pipeline checks instead
        return


def check_range(images: np.ndarray, name: str) -> None:
    """Raises ValueError for float pixels that are not finite or not in 0..1."""
    if not _is_float(images) or images.size == 0:
        return
    low, high = float(images.min()), float(images.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise ValueError(f"`{name}` has NaN or infinite pixels.")
    if high > HIGHEST_PIXEL or low < LOWEST_PIXEL:
        raise ValueError(
            f"`{name}` has float pixels from {low:.4g} to {high:.4g}, and floats must be in 0..1. "
            "Divide by 255, or pass uint8 in 0..255."
        )


def check_batch(
    images: Tensor,
    name: str,
    shape: tuple[int | None, int | None, int | None] = (None, None, None),
) -> None:
    """Raises ValueError unless `images` is a batch of valid images of a shape.

    Args:
        images: Array.
        name: Name of the argument in error messages.
        shape: `(H, W, C)` that the network takes, with None for any size.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        raise ValueError(
            f"`{name}` must contain batches of images (B, H, W, C), and its elements have shape "
            f"{images.shape}: batch the dataset, dataset.batch(256), or add the batch axis."
        )
    if images.ndim != 4:
        raise ValueError(
            f"`{name}` must contain batches of images (B, H, W, C), received shape {images.shape}."
        )
    if images.dtype != np.uint8 and not _is_float(images):
        raise ValueError(
            f"`{name}` must be uint8 (0..255) or float (0..1), received dtype {images.dtype}."
        )
    for axis, (expected, received) in enumerate(zip(shape, images.shape[1:], strict=True)):
        if expected is not None and expected != received:
            dimension = ("height", "width", "channels")[axis]
            raise ValueError(
                f"`{name}` has {dimension} {received} and the network takes {expected}: images "
                f"have shape {images.shape[1:]}, the network's input shape is {tuple(shape)}."
            )
    if 0 in images.shape:
        raise ValueError(f"`{name}` is empty: its shape is {images.shape}.")
    check_range(images, name)


def image_shape(model: keras.Model) -> tuple[int | None, int | None, int | None]:
    """Returns the `(H, W, C)` that a network takes, with None for any size."""
    try:
        shape = model.input_shape
    except AttributeError:  # a subclassed model has no symbolic input
        shape = (model.get_build_config() or {}).get("input_shape") or (None,) * 4
    return tuple(shape[1:])


def _is_float(images):
    # NumPy reports the kind "V" for bfloat16.
    return images.dtype.kind == "f" or "bfloat" in str(images.dtype)
