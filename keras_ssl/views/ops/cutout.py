"""Random gray boxes."""

import dataclasses

import keras
import tensorflow as tf

from keras_ssl.validation import as_size, check_number
from keras_ssl.views.base import View


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class Cutout(View):
    """Covers a box of each image with gray.

    The middle of the box is uniform among the pixels, so that a part of it may lie outside. An
    alpha channel is covered too, with 1.

    Args:
        size: Int > 0, or pair `(height, width)`, in pixels.
        fill: Float in 0..1, the gray.

    Raises:
        TypeError: If `fill` is not a number.
        ValueError: If an argument is out of range.

    Source:
        DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552; gray, as in the code of FixMatch.
    """

    size: int | tuple[int, int] = 16
    fill: float = 0.5

    def __post_init__(self):
        self._set(size=as_size(self.size))
        check_number(0, 1, fill=self.fill)

    def transform(self, images, seed):
        """Covers."""
        draws = self.draws(images, seed, 2)
        inside = [
            _box(draws[:, axis], tf.shape(images)[1 + axis], self.size[axis]) for axis in (0, 1)
        ]
        covered = inside[0][:, :, None, None] & inside[1][:, None, :, None]
        colors = min(3, images.shape[-1])
        fill = [float(self.fill)] * colors + [1.0] * (images.shape[-1] - colors)
        return tf.where(covered, tf.constant(fill), images)


def _box(draw, side, length):
    """Which places along one side are in the box: bool `(B, side)`."""
    middle = tf.cast(draw * tf.cast(side, tf.float32), tf.int32)[:, None]
    start = middle - length // 2
    place = tf.range(side)
    return (place >= start) & (place < start + length)
