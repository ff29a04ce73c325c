"""Random shifts."""

import dataclasses

import keras
import tensorflow as tf

from keras_ssl.validation import check_int
from keras_ssl.views.base import View


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomShift(View):
    """Moves each image by whole pixels, up to `pixels` each way, and mirrors it at its border.

    The border's own pixels are not repeated: beyond the first row comes the second.

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

    def transform(self, images, seed):
        """Moves."""
        batch, height, width, channels = tf.unstack(tf.shape(images))
        draws = self.draws(images, seed, 2) * (2 * self.pixels + 1)
        by = tf.cast(draws, tf.int32) - self.pixels
        rows = _mirrored(tf.range(height) + by[:, :1], height)
        columns = _mirrored(tf.range(width) + by[:, 1:], width)
        places = rows[:, :, None] * width + columns[:, None, :]
        flat = tf.reshape(images, (batch, height * width, channels))
        moved = tf.gather(flat, tf.reshape(places, (batch, height * width)), batch_dims=1)
        return tf.ensure_shape(tf.reshape(moved, tf.shape(images)), images.shape)


def _mirrored(place, side):
    """Brings places beyond the ends of a side back inside, as between two mirrors."""
    period = tf.maximum(2 * (side - 1), 1)
    place %= period
    return tf.minimum(place, period - place)
