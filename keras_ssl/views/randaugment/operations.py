"""The fourteen operations of FixMatch's RandAugment, each at a level of its own for every image."""

import tensorflow as tf

from keras_ssl.views.base import to_unit_range, validate_images
from keras_ssl.views.randaugment import color_ops, geometry

HIGHEST = 10.0


def apply_randaugment(images, operation, level):
    """Applies one operation of RandAugment.

        turned = keras_ssl.views.apply_randaugment(images, "Rotate", 5)  # 15 degrees, counter-clockwise

    What a level `v` means:

    - `Identity`, `AutoContrast`, `Equalize`: nothing, they are the same at every level.
    - `Brightness`, `Color`, `Contrast`, `Sharpness`: `0.05 + 0.09 |v|` of the image stays, the rest
      is black, its gray picture, its mean gray or a blurred copy.
    - `Posterize`: `4 + 0.4 |v|` bits of each pixel stay, without the part behind the point.
    - `Solarize`: pixels from `256 - 25.6 |v|` on are inverted; the product likewise whole.
    - `Rotate`: by `3 v` degrees, cut to whole ones, counter-clockwise where v is positive.
    - `ShearX`, `ShearY`: row and column i move by `0.03 v i` pixels, to the left and upwards.
    - `TranslateX`, `TranslateY`: by `0.03 v` of the side in whole pixels, to the left and upwards.

    What moves takes the nearest pixel, and black where there is none. Operations on tones leave an
    alpha channel as it is.

    Args:
        images: Tensor `(B, H, W, C)`, uint8 0..255 or float 0..1, taken to the next 1/255.
        operation: String, one of the names above.
        level: Number in -10..10, or a tensor `(B,)` of them: one for each image.

    Returns:
        float32 tensor of the shape of `images`, in 0..1.

    Raises:
        ValueError: If there is no such operation, or a level is out of range.
        TypeError: If `images` is neither uint8 nor float.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, table 12, rounded as in the authors'
        code; pixels as PIL's, on which that is built.
    """
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise ValueError(f"`operation` must be one of {list(OPERATIONS)}, received {operation!r}.")
    images = _tensor("images", images, 4)
    is_number = isinstance(level, (int, float))
    level = tf.cast(_tensor("level", level, 0, 1), tf.float32)
    if is_number and not abs(float(level)) <= HIGHEST:
        raise ValueError(f"`level` must be in -10..10, received {float(level)!r}.")
    if level.shape.rank == 1 and not level.shape.is_compatible_with(images.shape[:1]):
        raise ValueError(
            f"`level` must be one number, or one for each of {images.shape[0]} images; received "
            f"shape {level.shape}."
        )
    pixels = tf.round(to_unit_range(validate_images(images)) * 255.0)
    level = tf.broadcast_to(level, tf.shape(pixels)[:1])
    return tf.ensure_shape(OPERATIONS[operation](pixels, level) / 255.0, images.shape)


def _tensor(name, value, *ranks):
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


def _of_tones(change):
    """Leaves the alpha channel out of a change of tones."""

    def operation(pixels, level):
        if pixels.shape[-1] < 4:
            return change(pixels, level)
        return tf.concat([change(pixels[..., :3], level), pixels[..., 3:]], axis=-1)

    return operation


def _kept(level):
    return 0.05 + 0.09 * tf.abs(level)


def _whole(level, most):
    """`most` at the highest level, cut to a whole number; a hair above, as 0.3 * 10 is below 3."""
    return tf.sign(level) * tf.floor(tf.abs(level) * (most / HIGHEST) + 1e-4)


def _share(level):
    return tf.cast(level, tf.float64) * (0.3 / HIGHEST)


# Name: change of whole numbers in 0..255, float32 (B, H, W, C), at levels (B,).
OPERATIONS = {
    "AutoContrast": _of_tones(lambda x, level: color_ops.autocontrast(x)),
    "Brightness": _of_tones(lambda x, level: color_ops.brightness(x, _kept(level))),
    "Color": _of_tones(lambda x, level: color_ops.color(x, _kept(level))),
    "Contrast": _of_tones(lambda x, level: color_ops.contrast(x, _kept(level))),
    "Equalize": _of_tones(lambda x, level: color_ops.equalize(x)),
    "Identity": lambda x, level: x,
    "Posterize": _of_tones(lambda x, level: color_ops.posterize(x, 4.0 + _whole(tf.abs(level), 4))),
    "Rotate": lambda x, level: geometry.rotate(x, _whole(level, 30)),
    "Sharpness": _of_tones(lambda x, level: color_ops.sharpness(x, _kept(level))),
    "ShearX": lambda x, level: geometry.shear_x(x, _share(level)),
    "ShearY": lambda x, level: geometry.shear_y(x, _share(level)),
    "Solarize": _of_tones(
        lambda x, level: color_ops.solarize(x, 256.0 - _whole(tf.abs(level), 256))
    ),
    "TranslateX": lambda x, level: geometry.translate_x(x, _share(level)),
    "TranslateY": lambda x, level: geometry.translate_y(x, _share(level)),
}
