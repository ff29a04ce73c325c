"""Masks of patches, drawn in the pipeline as views are."""

import dataclasses
import math

import keras
import tensorflow as tf

from keras_ssl.validation import as_size, check_fraction, check_interval, check_number
from keras_ssl.views.base import View

RECTANGLES = 16  # drawn for each image, of which those are kept that still fit
SMALLEST = 4  # patches of a rectangle
ASPECT = 0.3  # of the narrowest


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomMask(View):
    """Draws which patches of each image are masked: the same number of each, in no order.

    Unlike other views it returns no images but a bool tensor `(B, rows * columns)`, row by row.

    Args:
        grid: Int > 0, or pair `(rows, columns)`, patches of an image.
        ratio: Float in 0..1, the share that is masked; rounded down to whole patches.

    Raises:
        TypeError: If `ratio` is not a number.
        ValueError: If an argument is out of range.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, section 3.
    """

    grid: int | tuple[int, int]
    ratio: float = 0.75

    def __post_init__(self):
        self._set(grid=as_size(self.grid, "grid"))
        check_number(0, 1, ratio=self.ratio)

    @property
    def masked(self):
        """Patches that are masked in each image."""
        return int(self.ratio * math.prod(self.grid))

    def transform(self, images, seed):
        """Masks those with the lowest draws."""
        draws = self.draws(images, seed, math.prod(self.grid))
        return tf.ensure_shape(_lowest(draws, self.masked), (None, math.prod(self.grid)))


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class BlockMask(View):
    """Draws rectangles of patches that are masked, of some images.

    Unlike other views it returns no images but a bool tensor `(B, rows * columns)`, row by row.
    Rectangles of 4 patches or more and an aspect of 0.3 to 3.3 are laid down as long as they fit
    into the image's share; single patches make it up.

    Args:
        grid: Int > 0, or pair `(rows, columns)`, patches of an image.
        ratio: Pair of floats in 0..1, between which the masked share of an image is uniform;
            rounded to whole patches.
        probability: Float in 0..1, how often an image is masked at all.

    Raises:
        TypeError: If `ratio` is not a pair of numbers, or `probability` not a number.
        ValueError: If an argument is out of range.

    Source:
        Oquab et al. 2023, https://arxiv.org/abs/2304.07193, and their code; rectangles of Bao et
        al. 2021, https://arxiv.org/abs/2106.08254, algorithm 1.
    """

    grid: int | tuple[int, int]
    ratio: tuple[float, float] = (0.1, 0.5)
    probability: float = 0.5

    def __post_init__(self):
        check_interval(0, 1, ratio=self.ratio)
        self._set(grid=as_size(self.grid, "grid"), ratio=tuple(self.ratio))
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        """Lays rectangles one after the other, then single patches."""
        patches = math.prod(self.grid)
        draws = self.draws(images, seed, 2 + 4 * RECTANGLES + patches)
        applied, share = draws[:, 0] < self.probability, draws[:, 1]
        low, high = self.ratio
        target = tf.round((low + share * (high - low)) * patches)
        target = tf.where(applied, target, 0.0)
        rectangles = tf.reshape(draws[:, 2 : 2 + 4 * RECTANGLES], (-1, RECTANGLES, 4))
        mask = tf.zeros((tf.shape(images)[0], patches), tf.bool)
        for index in range(RECTANGLES):
            laid = mask | self._rectangle(rectangles[:, index], target - _count(mask))
            mask = tf.where((_count(laid) <= target)[:, None], laid, mask)
        single = tf.where(mask, 2.0, draws[:, 2 + 4 * RECTANGLES :])
        mask |= _lowest(single, tf.cast(target - _count(mask), tf.int32)[:, None])
        return tf.ensure_shape(mask, (None, patches))

    def _rectangle(self, draws, room):
        """One rectangle for each image: bool `(B, rows * columns)`."""
        rows, columns = self.grid
        area = SMALLEST + draws[:, 0] * tf.maximum(room - SMALLEST, 0.0)
        aspect = tf.exp((2 * draws[:, 1] - 1) * math.log(1 / ASPECT))
        inside = []
        for side, length, draw in (
            (rows, tf.sqrt(area * aspect), draws[:, 2]),
            (columns, tf.sqrt(area / aspect), draws[:, 3]),
        ):
            length = tf.clip_by_value(tf.round(length), 1.0, float(side))
            start = tf.floor(draw * (side - length + 1))
            place = tf.range(side, dtype=tf.float32)
            at = (place >= start[:, None]) & (place < (start + length)[:, None])
            inside.append(at)
        both = inside[0][:, :, None] & inside[1][:, None, :]
        return tf.reshape(both, (-1, rows * columns))


def _count(mask):
    return tf.reduce_sum(tf.cast(mask, tf.float32), axis=1)


def _lowest(draws, count):
    """Marks the `count` lowest draws of each row."""
    rank = tf.argsort(tf.argsort(draws, axis=1), axis=1)
    return rank < count
