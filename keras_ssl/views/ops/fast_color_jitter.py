"""Colors by one matrix for each image: faster than torchvision's steps, not the same pixels."""

import dataclasses
import functools
import math

import keras
import numpy as np
import tensorflow as tf

from keras_ssl.validation import check_number
from keras_ssl.views import per_image
from keras_ssl.views.ops.color_jitter import ColorJitter
from keras_ssl.views.ops.grayscale import LUMINANCE

# Luminance and two differences of color, of which hue is the angle (the YIQ of television).
YIQ = np.array([LUMINANCE, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class FastColorJitter(ColorJitter):
    """Changes brightness, contrast, saturation and hue by one affine map of each image's colors.

    It differs from `ColorJitter` in two things: hue turns at constant luminance (in YIQ) where
    that of HSV changes the luminance too, and values are cut to 0..1 once, at the end, so that the
    order of the four is of no consequence.

    Args:
        brightness: As in `ColorJitter`.
        contrast: As in `ColorJitter`.
        saturation: As in `ColorJitter`.
        hue: As in `ColorJitter`.
        probability: As in `ColorJitter`.
        grayscale: Float in 0..1, how often an image is gray in the end, jittered or not.

    Raises:
        TypeError: As in `ColorJitter`.
        ValueError: As in `ColorJitter`.
    """

    grayscale: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        check_number(0, 1, grayscale=self.grayscale)

    def transform(self, images, seed):
        """Changes colors."""
        if plan := self.plan(images, seed, images.shape[1:]):
            return per_image.apply_per_image([plan], images)
        # A batch of known size alone: each other size would be compiled anew.
        is_known = images.shape.is_fully_defined() and per_image.supports_xla()
        apply = _compiled() if is_known else _mapped
        return apply(images, *self._maps(images, seed, images.shape[-1]))

    def plan(self, images, seed, shape):
        """Changes large images one by one, compiled."""
        if not per_image.is_large(shape) or not per_image.supports_xla():
            return None

        def change(image, matrix, contrast):
            return _compiled()(image[None], matrix[None], contrast[None])[0]

        return per_image.PerImageOp(change, self._maps(images, seed, shape[-1]), shape)

    def _maps(self, images, seed, channels):
        """Draws what is done to each image, as `_matrix` returns it."""
        ranges = self._ranges(channels)
        draws = self.draws(images, seed, len(ranges) + 2)
        chosen = draws[:, -1] < self.probability
        factors = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
        for index, (name, (low, high)) in enumerate(ranges.items()):
            amount = low + (high - low) * draws[:, index]
            factors[name] = tf.where(chosen, amount, factors[name])
        is_gray = draws[:, -2] < self.grayscale if channels > 1 else False
        return _matrix(tf.shape(images)[0], channels, is_gray=is_gray, **factors)


def _matrix(batch, channels, brightness, contrast, saturation, hue, is_gray):
    """What colors, as rows, are multiplied with `(B, C, C)`, and the contrast `(B, 1, 1)`."""

    def column(factor):
        return tf.broadcast_to(tf.cast(factor, tf.float32), (batch,))[:, None, None]

    if channels == 1:
        return column(brightness), column(contrast)
    to_gray = tf.constant(np.tile(np.array(LUMINANCE)[:, None], (1, 3)), tf.float32)
    share = column(saturation)
    matrix = column(brightness) * (share * tf.eye(3) + (1 - share) * to_gray)
    matrix @= _turned(column(hue))
    matrix = tf.where(column(is_gray) > 0, matrix @ to_gray, matrix)
    if channels == 4:
        matrix = tf.pad(matrix, ((0, 0), (0, 1), (0, 1)))
        matrix += tf.constant(np.diag([0.0, 0.0, 0.0, 1.0]), tf.float32)
    return matrix, column(contrast)


def _turned(hue):
    """The matrices that turn hue at constant luminance, `(B, 3, 3)`."""
    back = np.linalg.inv(YIQ)
    parts = [
        np.diag([1.0, 0, 0]),
        np.diag([0, 1.0, 1.0]),
        np.array([[0] * 3, [0, 0, 1.0], [0, -1.0, 0]]),
    ]
    still, cosine, sine = (tf.constant((back @ part @ YIQ).T, tf.float32) for part in parts)
    angle = 2 * math.pi * hue
    return still + tf.cos(angle) * cosine + tf.sin(angle) * sine


def _mapped(images, matrix, contrast):
    """Multiplies colors, and blends with the mean luminance by contrast."""
    channels = images.shape[-1]
    flat = tf.reshape(images, (tf.shape(images)[0], -1, channels))
    middle = tf.reduce_mean(flat, axis=1, keepdims=True) @ matrix
    weights = [1.0] if channels == 1 else [*LUMINANCE, 0.0][:channels]
    gray = tf.reduce_sum(middle * weights, axis=-1, keepdims=True)
    is_color = tf.constant([1.0] * min(channels, 3) + [0.0] * (channels == 4))
    blend = 1 + is_color * (contrast - 1)  # alpha stays as it is
    changed = flat @ (blend * matrix) + (1 - blend) * gray
    return tf.reshape(tf.clip_by_value(changed, 0.0, 1.0), tf.shape(images))


@functools.cache
def _compiled():
    """`_mapped` as one loop over pixels."""
    return per_image.xla_jit(_mapped)
