"""Pixels as a network takes them, and the checks of a batch that come before training."""

import numpy as np
from keras import KerasTensor, config, ops

from keras_ssl.numerics import as_float

__all__ = [
    "as_float",
    "check_batch",
    "check_eager_range",
    "check_range",
    "image_shape",
    "to_unit_range",
]


def to_unit_range(images):
    """Returns images as floats: uint8 0..255 is scaled to 0..1, floats stay."""
    images = ops.convert_to_tensor(images)
    if images.dtype == "uint8":
        return ops.cast(images, config.floatx()) / 255
    return images


def check_eager_range(images):
    """Checks the range of images given to a call, where their values can be read."""
    if isinstance(images, KerasTensor) or not hasattr(images, "dtype"):
        return
    try:
        check_range(np.asarray(images), "images")
    except (TypeError, NotImplementedError):  # traced: the pipeline checks instead
        return


def check_range(images, name):
    """Raises ValueError for float pixels that are not finite or not in 0..1."""
    if not _is_float(images) or images.size == 0:
        return
    low, high = float(images.min()), float(images.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise ValueError(f"`{name}` has NaN or infinite pixels.")
    if high > 1.5 or low < -0.5:
        raise ValueError(
            f"`{name}` has float pixels from {low:.4g} to {high:.4g}; floats must lie in 0..1. "
            "Divide by 255, or pass uint8, which means 0..255."
        )


def check_batch(images, name, shape=(None, None, None)):
    """Raises ValueError unless `images` is a batch that a network taking `shape` can read.

    Args:
        images: Array.
        name: What errors call it.
        shape: `(H, W, C)` that the network takes, None where any size will do.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        raise ValueError(
            f"`{name}` must be batches of images (B, H, W, C), and an element has shape "
            f"{images.shape}: batch the dataset, dataset.batch(256), or add the batch axis."
        )
    if images.ndim != 4:
        raise ValueError(
            f"`{name}` must be batches of images (B, H, W, C), received shape {images.shape}."
        )
    if images.dtype != np.uint8 and not _is_float(images):
        raise ValueError(
            f"`{name}` must be uint8 (0..255) or float (0..1), received dtype {images.dtype}."
        )
    for axis, (expected, received) in enumerate(zip(shape, images.shape[1:], strict=True)):
        if expected is not None and expected != received:
            what = ("height", "width", "channels")[axis]
            raise ValueError(
                f"`{name}` has {what} {received} and the network takes {expected}: images have "
                f"shape {images.shape[1:]}, its input is {tuple(shape)}."
            )
    if 0 in images.shape:
        raise ValueError(f"`{name}` is empty: its shape is {images.shape}.")
    check_range(images, name)


def _is_float(images):
    # bfloat16 is not one of NumPy's own kinds.
    return images.dtype.kind == "f" or "bfloat" in str(images.dtype)


def image_shape(model):
    """Returns the `(H, W, C)` that a network takes, with None where any size will do."""
    try:
        shape = model.input_shape
    except AttributeError:  # a subclassed model has no symbolic input
        shape = (model.get_build_config() or {}).get("input_shape") or (None,) * 4
    return tuple(shape[1:])
