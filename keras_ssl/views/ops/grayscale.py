"""Random gray images."""

import dataclasses

import keras
import tensorflow as tf

from keras_ssl.validation import check_fraction
from keras_ssl.views import per_image
from keras_ssl.views.base import View, apply_where

LUMINANCE = (0.2989, 0.587, 0.114)


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomGrayscale(View):
    """Puts the luminance into all color channels.

    The number of channels stays. Gray images and an alpha channel stay as they are.

    Args:
        probability: Float in 0..1.

    Raises:
        TypeError: If `probability` is not a number.
        ValueError: If it is not in 0..1.

    Source:
        torchvision.transforms.v2.RandomGrayscale on float images.
    """

    probability: float = 0.2

    def __post_init__(self):
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        """Removes colors."""
        if images.shape[-1] == 1:
            return images
        if plan := self.plan(images, seed, images.shape[1:]):
            return per_image.apply_per_image([plan], images)
        return apply_where(images, self._chosen(images, seed), _to_gray)

    def plan(self, images, seed, shape):
        """Removes colors of large images one by one."""
        if shape[-1] > 1 and per_image.is_large(shape):
            chosen = self._chosen(images, seed)
            return per_image.apply_where_chosen(_to_gray, chosen, shape=shape)
        return None

    def _chosen(self, images, seed):
        return self.draws(images, seed, 1)[:, 0] < self.probability


def luminance(colors):
    """The luminance of ITU-R 601 of a list of red, green and blue; of one plane, itself."""
    if len(colors) == 1:
        return colors[0]
    red, green, blue = (weight * color for weight, color in zip(LUMINANCE, colors, strict=True))
    return red + green + blue


def _to_gray(images):
    channels = images.shape[-1]
    matrix = [[weight] * 3 + [0.0] * (channels - 3) for weight in LUMINANCE]
    matrix += [[0.0, 0.0, 0.0, 1.0]] * (channels - 3)
    flat = tf.matmul(tf.reshape(images, (-1, channels)), tf.constant(matrix))
    return tf.reshape(flat, tf.shape(images))
