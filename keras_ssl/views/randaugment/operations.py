"""The fourteen operations of FixMatch's RandAugment, with one level for each image."""

from keras_ssl import _tensorflow as tf
from keras_ssl._types import Tensor
from keras_ssl.views.base import to_unit_range, validate_images
from keras_ssl.views.randaugment import color_ops, geometry

MAX_LEVEL = 10.0


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
    level = tf.cast(_as_tensor("level", level, 0, 1), tf.float32)
    if is_number and not abs(float(level)) <= MAX_LEVEL:
        raise ValueError(f"`level` must be in -10..10, received {float(level)!r}.")
    if level.shape.rank == 1 and not level.shape.is_compatible_with(images.shape[:1]):
        raise ValueError(
            f"`level` must be one number, or one for each of {images.shape[0]} images, received "
            f"shape {level.shape}."
        )
    pixels = tf.round(to_unit_range(validate_images(images)) * 255.0)
    level = tf.broadcast_to(level, tf.shape(pixels)[:1])
    return tf.ensure_shape(OPERATIONS[operation](pixels, level) / 255.0, images.shape)


def _as_tensor(name, value, *ranks):
    """Returns a tensor of numbers of one of the ranks; raises for anything else."""
    try:
        tensor = tf.convert_to_tensor(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must be a tensor of numbers, received {value!r}.") from error
    is_number = tensor.dtype.is_floating or tensor.dtype.is_integer
    if not is_number or tensor.shape.rank not in (*ranks, None):
        raise TypeError(
            f"`{name}` must be a tensor of numbers with {' or '.join(map(str, ranks))} axes, "
            f"received dtype {tensor.dtype.name} and shape {tensor.shape}."
        )
    return tensor


def _without_alpha(color_op):
    """Returns an operation that does not change an alpha channel."""

    def operation(pixels, level):
        if pixels.shape[-1] < 4:
            return color_op(pixels, level)
        return tf.concat([color_op(pixels[..., :3], level), pixels[..., 3:]], axis=-1)

    return operation


def _blend_factor(level):
    return 0.05 + 0.09 * tf.abs(level)


def _integer(level, maximum):
    """Scales a level so that the highest becomes `maximum`, and rounds it toward 0."""
    # The tolerance is for products such as 0.3 * 10, which is below 3.
    return tf.sign(level) * tf.floor(tf.abs(level) * (maximum / MAX_LEVEL) + 1e-4)


def _fraction(level):
    return tf.cast(level, tf.float64) * (0.3 / MAX_LEVEL)


# Functions of float32 integers in 0..255, (B, H, W, C), and levels (B,).
OPERATIONS = {
    "AutoContrast": _without_alpha(lambda x, level: color_ops.autocontrast(x)),
    "Brightness": _without_alpha(lambda x, level: color_ops.brightness(x, _blend_factor(level))),
    "Color": _without_alpha(lambda x, level: color_ops.color(x, _blend_factor(level))),
    "Contrast": _without_alpha(lambda x, level: color_ops.contrast(x, _blend_factor(level))),
    "Equalize": _without_alpha(lambda x, level: color_ops.equalize(x)),
    "Identity": lambda x, level: x,
    "Posterize": _without_alpha(
        lambda x, level: color_ops.posterize(x, 4.0 + _integer(tf.abs(level), 4))
    ),
    "Rotate": lambda x, level: geometry.rotate(x, _integer(level, 30)),
    "Sharpness": _without_alpha(lambda x, level: color_ops.sharpness(x, _blend_factor(level))),
    "ShearX": lambda x, level: geometry.shear_x(x, _fraction(level)),
    "ShearY": lambda x, level: geometry.shear_y(x, _fraction(level)),
    "Solarize": _without_alpha(
        lambda x, level: color_ops.solarize(x, 256.0 - _integer(tf.abs(level), 256))
    ),
    "TranslateX": lambda x, level: geometry.translate_x(x, _fraction(level)),
    "TranslateY": lambda x, level: geometry.translate_y(x, _fraction(level)),
}
