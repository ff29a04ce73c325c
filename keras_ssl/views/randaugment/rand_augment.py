"""RandAugment of FixMatch."""

import dataclasses

import keras

from keras_ssl import _tensorflow as tf
from keras_ssl.validation import check_fraction, check_int, check_number
from keras_ssl.views.backend import ops, selects_images
from keras_ssl.views.base import View
from keras_ssl.views.randaugment import geometry
from keras_ssl.views.randaugment.operations import GEOMETRIC_OPERATIONS, OPERATIONS

NAMES = list(OPERATIONS)
IDENTITY = NAMES.index("Identity")


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandAugment(View):
    """Applies random operations of `keras_ssl.views.apply_randaugment`, each at a random level.

    `num_ops` times, one of the fourteen operations is drawn uniformly and applied with
    `probability`. Its level is an integer from 1 to `magnitude - 1` of 10, with a random sign if
    the operation has a direction. An operation may be drawn twice for one image.

    Args:
        num_ops: Int >= 1, the number of operations drawn for each image.
        magnitude: Int in 2..11, one above the highest level.
        probability: Float in 0..1, how often an operation that was drawn is applied.

    Raises:
        TypeError: If `num_ops` or `magnitude` is not an int, or `probability` is not a number.
        ValueError: If an argument is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, appendix D, and the authors' code,
        which applies each operation half of the time. The RandAugment of Cubuk et al. 2019,
        https://arxiv.org/abs/1909.13719, has one level for all operations.
    """

    num_ops: int = 2
    magnitude: int = 10
    probability: float = 0.5

    runs_on_device = True

    def __post_init__(self):
        check_int(1, num_ops=self.num_ops)
        check_int(2, magnitude=self.magnitude)
        check_number(2, 11, magnitude=self.magnitude)
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        draws = ops.reshape(self.uniform(images, seed, 4 * self.num_ops), (-1, self.num_ops, 4))
        pixels = ops.round(images * 255.0)
        apply = _apply_by_operation if selects_images() else _apply_to_all
        for step in range(self.num_ops):
            operation, is_applied, level, sign = ops.unstack(draws[:, step], axis=1)
            operation = ops.cast(operation * len(OPERATIONS), "int32")
            operation = ops.where(is_applied < self.probability, operation, IDENTITY)
            level = 1.0 + ops.floor(level * (self.magnitude - 1))
            pixels = apply(pixels, operation, ops.where(sign < 0.5, -level, level))
        return pixels / 255.0


def _apply_by_operation(pixels, operation, level):
    """Applies one operation to each image, grouped by operation."""
    groups = tf.dynamic_partition(tf.range(tf.shape(pixels)[0]), operation, len(OPERATIONS))
    results = [
        apply(tf.gather(pixels, indices), tf.gather(level, indices))
        for apply, indices in zip(OPERATIONS.values(), groups, strict=True)
    ]
    return tf.ensure_shape(tf.dynamic_stitch(groups, results), pixels.shape)


def _apply_to_all(pixels, operation, level):
    """Applies every operation to each image, and keeps the result of the one that was drawn."""
    size = ops.shape(pixels)[1:3]
    x, y = geometry.identity(size)
    for name, source in GEOMETRIC_OPERATIONS.items():
        is_drawn = (operation == NAMES.index(name))[:, None, None]
        new_x, new_y = source(size, level)
        x, y = ops.where(is_drawn, new_x, x), ops.where(is_drawn, new_y, y)
    result = geometry.sample(pixels, x, y)
    for index, (name, apply) in enumerate(OPERATIONS.items()):
        if name not in GEOMETRIC_OPERATIONS:
            is_drawn = (operation == index)[:, None, None, None]
            result = ops.where(is_drawn, apply(pixels, level), result)
    return result
