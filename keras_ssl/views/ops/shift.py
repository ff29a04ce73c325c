"""Random shifts."""

import dataclasses

import keras
import tensorflow as tf

from keras_ssl.validation import check_int
from keras_ssl.views.base import View, no_autograph


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomShift(View):
    """Shifts each image by up to `pixels` whole pixels along each axis, with reflected borders.

    Reflection does not repeat the border: the pixel before the first row is the second row.

    Args:
        pixels: Int >= 1.

    Raises:
        TypeError: If `pixels` is not an int.
        ValueError: If it is below 1.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.3, and the authors' code.
    """

    pixels: int = 4

    def __post_init__(self):
        check_int(1, pixels=self.pixels)

    @no_autograph
    def transform(self, images, seed):
        batch, height, width, channels = tf.unstack(tf.shape(images))
        draws = self.uniform(images, seed, 2) * (2 * self.pixels + 1)
        offsets = tf.cast(draws, tf.int32) - self.pixels
        rows = _reflect(tf.range(height) + offsets[:, :1], height)
        columns = _reflect(tf.range(width) + offsets[:, 1:], width)
        indices = rows[:, :, None] * width + columns[:, None, :]
        pixels = tf.reshape(images, (batch, height * width, channels))
        shifted = tf.gather(pixels, tf.reshape(indices, (batch, height * width)), batch_dims=1)
        return tf.ensure_shape(tf.reshape(shifted, tf.shape(images)), images.shape)


def _reflect(index, length):
    """Reflects indices beyond the ends of an axis back into it."""
    period = tf.maximum(2 * (length - 1), 1)
    index %= period
    return tf.minimum(index, period - index)
