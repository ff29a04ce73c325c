"""Random colors by one matrix per image: faster than `ColorJitter`, with different pixels."""

import dataclasses
import functools
import math

import keras
import numpy as np

from keras_ssl.validation import check_fraction
from keras_ssl.views import per_image
from keras_ssl.views.backend import matmul, ops, selects_images
from keras_ssl.views.ops.color_jitter import ColorJitter
from keras_ssl.views.ops.grayscale import LUMINANCE

# Luminance and two color differences, whose angle is the hue (YIQ, analog television).
YIQ = np.array([LUMINANCE, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class FastColorJitter(ColorJitter):
    """Changes brightness, contrast, saturation and hue by one affine map of each image's colors.

    Choose it if the views are the bottleneck of training. It differs from `ColorJitter` in two
    ways. Hue is rotated at constant luminance (in YIQ); HSV changes the luminance too. Values are
    clipped to 0..1 only once, at the end, so the order of the four changes has no effect.

    Args:
        brightness: See `ColorJitter`.
        contrast: See `ColorJitter`.
        saturation: See `ColorJitter`.
        hue: See `ColorJitter`.
        probability: See `ColorJitter`.
        grayscale: Float in 0..1, how often an image is made gray at the end, whether or not its
            colors were changed.

    Raises:
        TypeError: See `ColorJitter`.
        ValueError: See `ColorJitter`.
    """

    grayscale: float = 0.0

    runs_on_device = True

    def __post_init__(self):
        super().__post_init__()
        check_fraction(grayscale=self.grayscale)

    def transform(self, images, seed):
        # Only for a known batch size: each other size would be compiled again.
        is_known = selects_images() and None not in tuple(images.shape)
        is_known = is_known and per_image.supports_xla()
        apply = _compiled_color_map() if is_known else _apply_color_map
        return apply(images, *self._draw_color_maps(images, seed, images.shape[-1]))

    def per_image_op(self, images, seed, shape):
        if not per_image.is_large(shape) or not per_image.supports_xla():
            return None

        def apply(image, matrix, contrast):
            return _compiled_color_map()(image[None], matrix[None], contrast[None])[0]

        return per_image.PerImageOp(apply, self._draw_color_maps(images, seed, shape[-1]), shape)

    def _draw_color_maps(self, images, seed, channels):
        """Draws the colors of each image, as `_color_maps` returns them."""
        ranges = self._ranges(channels)
        draws = self.uniform(images, seed, len(ranges) + 2)
        selected = draws[:, -1] < self.probability
        amounts = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
        for index, (name, (low, high)) in enumerate(ranges.items()):
            amount = low + (high - low) * draws[:, index]
            amounts[name] = ops.where(selected, amount, amounts[name])
        is_gray = draws[:, -2] < self.grayscale if channels > 1 else False
        return _color_maps(ops.shape(images)[0], channels, is_gray=is_gray, **amounts)


def _color_maps(batch_size, channels, brightness, contrast, saturation, hue, is_gray):
    """Returns the matrices `(B, C, C)` for colors as rows, and the contrast `(B, 1, 1)`."""

    def per_batch(value):
        return ops.broadcast_to(ops.cast(value, "float32"), (batch_size,))[:, None, None]

    if channels == 1:
        return per_batch(brightness), per_batch(contrast)
    to_gray = ops.convert_to_tensor(np.tile(np.array(LUMINANCE)[:, None], (1, 3)), "float32")
    saturation = per_batch(saturation)
    matrix = per_batch(brightness) * (
        saturation * ops.eye(3, dtype="float32") + (1 - saturation) * to_gray
    )
    matrix = matmul(matrix, _hue_rotation(per_batch(hue)))
    matrix = ops.where(per_batch(is_gray) > 0, matmul(matrix, to_gray), matrix)
    if channels == 4:
        matrix = ops.pad(matrix, ((0, 0), (0, 1), (0, 1)))
        matrix += ops.convert_to_tensor(np.diag([0.0, 0.0, 0.0, 1.0]), "float32")
    return matrix, per_batch(contrast)


def _hue_rotation(turns):
    """Returns matrices `(B, 3, 3)` that rotate the hue at constant luminance."""
    to_rgb = np.linalg.inv(YIQ)
    parts = [
        np.diag([1.0, 0, 0]),
        np.diag([0, 1.0, 1.0]),
        np.array([[0] * 3, [0, 0, 1.0], [0, -1.0, 0]]),
    ]
    constant, cosine, sine = (
        ops.convert_to_tensor((to_rgb @ part @ YIQ).T, "float32") for part in parts
    )
    angle = 2 * math.pi * turns
    return constant + ops.cos(angle) * cosine + ops.sin(angle) * sine


def _apply_color_map(images, matrix, contrast):
    """Multiplies the colors by a matrix, then blends with the mean luminance by the contrast."""
    channels = images.shape[-1]
    batch, height, width, _ = ops.shape(images)
    pixels = ops.reshape(images, (batch, height * width, channels))
    mean_color = matmul(ops.mean(pixels, axis=1, keepdims=True), matrix)
    weights = [1.0] if channels == 1 else [*LUMINANCE, 0.0][:channels]
    weights = ops.convert_to_tensor(weights, "float32")
    gray = ops.sum(mean_color * weights, axis=-1, keepdims=True)
    is_color = ops.convert_to_tensor([1.0] * min(channels, 3) + [0.0] * (channels == 4), "float32")
    blend = 1 + is_color * (contrast - 1)  # an alpha channel is not changed
    result = matmul(pixels, blend * matrix) + (1 - blend) * gray
    return ops.reshape(ops.clip(result, 0.0, 1.0), ops.shape(images))


@functools.cache
def _compiled_color_map():
    """Returns `_apply_color_map` as one compiled loop over pixels."""
    return per_image.xla_jit(_apply_color_map)
