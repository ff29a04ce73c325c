"""RandAugment as FixMatch has it."""

import dataclasses

import keras
import tensorflow as tf

from keras_ssl.validation import check_fraction, check_int, check_number
from keras_ssl.views.base import View
from keras_ssl.views.randaugment.operations import OPERATIONS

IDENTITY = list(OPERATIONS).index("Identity")


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandAugment(View):
    """Changes each image by operations drawn from fourteen, each at a level of its own.

    `num_ops` times, one of the operations of `keras_ssl.views.apply_randaugment` is drawn, each as likely as
    the others, and applied with `probability`, at a whole level from 1 to `magnitude - 1` of 10,
    in either direction where it has one. An image may get one operation twice.

    Args:
        num_ops: Int >= 1, how many operations are drawn for each image.
        magnitude: Int in 2..11, above the highest level that is drawn.
        probability: Float in 0..1, how often an operation that was drawn is applied.

    Raises:
        TypeError: If an argument is not a number, or one of the first two not an int.
        ValueError: If it is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, appendix D, and the authors' code,
        where an operation drawn is applied half of the time. Cubuk et al. 2019,
        https://arxiv.org/abs/1909.13719, whose RandAugment has one level for all.
    """

    num_ops: int = 2
    magnitude: int = 10
    probability: float = 0.5

    def __post_init__(self):
        check_int(1, num_ops=self.num_ops)
        check_int(2, magnitude=self.magnitude)
        check_number(2, 11, magnitude=self.magnitude)
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        """Applies the operations."""
        draws = tf.reshape(self.draws(images, seed, 4 * self.num_ops), (-1, self.num_ops, 4))
        pixels = tf.round(images * 255.0)
        for slot in range(self.num_ops):
            which, applied, level, sign = tf.unstack(draws[:, slot], axis=1)
            operation = tf.cast(which * len(OPERATIONS), tf.int32)
            operation = tf.where(applied < self.probability, operation, IDENTITY)
            level = 1.0 + tf.floor(level * (self.magnitude - 1))
            pixels = _each(pixels, operation, tf.where(sign < 0.5, -level, level))
        return tf.ensure_shape(pixels / 255.0, images.shape)


def _each(pixels, operation, level):
    """Applies to each image its operation: those of one operation together."""
    rows = tf.dynamic_partition(tf.range(tf.shape(pixels)[0]), operation, len(OPERATIONS))
    changed = [
        apply(tf.gather(pixels, of_one), tf.gather(level, of_one))
        for apply, of_one in zip(OPERATIONS.values(), rows, strict=True)
    ]
    return tf.dynamic_stitch(rows, changed)
