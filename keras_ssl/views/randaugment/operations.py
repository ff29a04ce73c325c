"""The fourteen operations of FixMatch's RandAugment, with one level for each image."""

import keras
import numpy as np

from keras_ssl._types import Tensor
from keras_ssl.views.backend import ops, uses_tensorflow, without_autograph
from keras_ssl.views.base import to_unit_range, validate_images
from keras_ssl.views.randaugment import color_ops, geometry

MAX_LEVEL = 10.0
# Parts of 0.09 in float32 with few bits each.
UPPER_SLOPE = float(np.floor(np.float32(0.09) * 4096) / 4096)
LOWER_SLOPE = float(np.float32(0.09)) - UPPER_SLOPE


def apply_randaugment(images: Tensor, operation: str, level: float | Tensor) -> Tensor:
    """Applies one operation of RandAugment.

        rotated = keras_ssl.views.apply_randaugment(images, "Rotate", 5)  # by 15 degrees

    The meaning of a level `v`:

    - `Identity`, `AutoContrast`, `Equalize`: none; the result is the same at every level.
    - `Brightness`, `Color`, `Contrast`, `Sharpness`: blend the image with black, its grayscale
      version, its mean gray or a smoothed version. The image has weight `0.05 + 0.09 |v|`.
    - `Posterize`: keep `4 + 0.4 |v|` bits of each pixel, rounded down.
    - `Solarize`: invert values from `256 - 25.6 |v|` upwards, the product rounded down.
    - `Rotate`: by `3 v` degrees, rounded toward 0, counterclockwise if v is positive.
    - `ShearX`, `ShearY`: move row or column i by `0.03 v i` pixels, to the left or up.
    - `TranslateX`, `TranslateY`: by `0.03 v` of the side in whole pixels, to the left or up.

    Operations that move pixels sample the nearest pixel and fill with black. Color operations do
    not change an alpha channel.

    Args:
        images: Tensor `(B, H, W, C)`, uint8 in 0..255 or float in 0..1, rounded to 1/255.
        operation: String, one of the names above.
        level: Number in -10..10, or a tensor `(B,)` with one for each image.

    Returns:
        float32 tensor of the shape of `images`, in 0..1.

    Raises:
        ValueError: If `operation` is unknown or a level is out of range.
        TypeError: If `images` is neither uint8 nor float.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, table 12, rounded as in the authors'
        code, which applies PIL.
    """
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise ValueError(f"`operation` must be one of {list(OPERATIONS)}, received {operation!r}.")
    images = _as_tensor("images", images, 4)
    is_number = isinstance(level, (int, float))
    level = ops.cast(_as_tensor("level", level, 0, 1), "float32")
    if is_number and not abs(float(level)) <= MAX_LEVEL:
        raise ValueError(f"`level` must be in -10..10, received {float(level)!r}.")
    sizes = {*level.shape, images.shape[0]} - {None}
    if len(level.shape) == 1 and len(sizes) > 1:
        raise ValueError(
            f"`level` must be one number, or one for each of {images.shape[0]} images, received "
            f"shape {tuple(level.shape)}."
        )
    return without_autograph(_apply)(validate_images(images), OPERATIONS[operation], level)


def _apply(images, operation, level):
    pixels = ops.round(to_unit_range(images) * 255.0)
    level = ops.broadcast_to(level, ops.shape(pixels)[:1])
    return operation(pixels, level) / 255.0


def _as_tensor(name, value, *ranks):
    """Returns a tensor of numbers of one of the ranks; raises for anything else."""
    try:
        tensor = ops.convert_to_tensor(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must be a tensor of numbers, received {value!r}.") from error
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    is_number = keras.backend.is_float_dtype(dtype) or keras.backend.is_int_dtype(dtype)
    rank = tensor.shape.rank if uses_tensorflow() else len(tensor.shape)
    if not is_number or rank not in (*ranks, None):
        raise TypeError(
            f"`{name}` must be a tensor of numbers with {' or '.join(map(str, ranks))} axes, "
            f"received dtype {dtype} and shape {tensor.shape}."
        )
    return tensor


def _without_alpha(color_op):
    """Returns an operation that does not change an alpha channel."""

    def operation(pixels, level):
        if pixels.shape[-1] < 4:
            return color_op(pixels, level)
        return ops.concatenate([color_op(pixels[..., :3], level), pixels[..., 3:]], axis=-1)

    return operation


def _geometric(source):
    """Returns an operation from a function of the size and levels to source positions."""

    def operation(pixels, level):
        return geometry.sample(pixels, *source(ops.shape(pixels)[1:3], level))

    return operation


def _blend_factor(level):
    # The product of either constant and an integer is exact, so that it does not matter whether a
    # compiler rounds a product before it adds to it.
    level = ops.abs(level)
    return 0.05 + (UPPER_SLOPE * level + LOWER_SLOPE * level)


def _integer(level, maximum):
    """Scales a level so that the highest becomes `maximum`, and rounds it toward 0."""
    # The tolerance is for products such as 0.3 * 10, which is below 3.
    return ops.sign(level) * ops.floor(ops.abs(level) * (maximum / MAX_LEVEL) + 1e-4)


def _fraction(level):
    return level * (0.3 / MAX_LEVEL)


# Functions of float32 integers in 0..255, (B, H, W, C), and levels (B,).
COLOR_OPERATIONS = {
    "AutoContrast": lambda x, level: color_ops.autocontrast(x),
    "Brightness": lambda x, level: color_ops.brightness(x, _blend_factor(level)),
    "Color": lambda x, level: color_ops.color(x, _blend_factor(level)),
    "Contrast": lambda x, level: color_ops.contrast(x, _blend_factor(level)),
    "Equalize": lambda x, level: color_ops.equalize(x),
    "Posterize": lambda x, level: color_ops.posterize(x, 4.0 + _integer(ops.abs(level), 4)),
    "Sharpness": lambda x, level: color_ops.sharpness(x, _blend_factor(level)),
    "Solarize": lambda x, level: color_ops.solarize(x, 256.0 - _integer(ops.abs(level), 256)),
}
# Functions of the size and of levels to the source of each pixel.
GEOMETRIC_OPERATIONS = {
    "Rotate": lambda size, level: geometry.rotate(size, _integer(level, 30)),
    "ShearX": lambda size, level: geometry.shear_x(size, _fraction(level)),
    "ShearY": lambda size, level: geometry.shear_y(size, _fraction(level)),
    "TranslateX": lambda size, level: geometry.translate_x(size, _fraction(level)),
    "TranslateY": lambda size, level: geometry.translate_y(size, _fraction(level)),
}
# All of them as functions of pixels and levels, in the order of which RandAugment draws.
OPERATIONS = {
    "Identity": lambda x, level: x,
    **{name: _without_alpha(operation) for name, operation in COLOR_OPERATIONS.items()},
    **{name: _geometric(source) for name, source in GEOMETRIC_OPERATIONS.items()},
}
OPERATIONS = dict(sorted(OPERATIONS.items()))
