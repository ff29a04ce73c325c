"""Cutout."""

import dataclasses

import keras

from keras_ssl.validation import as_size, check_fraction
from keras_ssl.views.backend import ops
from keras_ssl.views.base import View


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class Cutout(View):
    """Covers a box of each image with gray.

    The center of the box is uniform over the pixels, so a part of the box may lie outside the
    image. In an alpha channel the box is filled with 1.

    Args:
        size: Int > 0, or pair `(height, width)`, in pixels.
        fill: Float in 0..1, the gray.

    Raises:
        TypeError: If `fill` is not a number.
        ValueError: If an argument is out of range.

    Source:
        DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552; gray as in FixMatch's code.
    """

    size: int | tuple[int, int] = 16
    fill: float = 0.5

    runs_on_device = True

    def __post_init__(self):
        self._set(size=as_size(self.size))
        check_fraction(fill=self.fill)

    def transform(self, images, seed):
        draws = self.uniform(images, seed, 2)
        rows, columns = (
            _box(draws[:, axis], ops.shape(images)[1 + axis], self.size[axis]) for axis in (0, 1)
        )
        mask = rows[:, :, None, None] & columns[:, None, :, None]
        num_colors = min(3, images.shape[-1])
        fill = [float(self.fill)] * num_colors + [1.0] * (images.shape[-1] - num_colors)
        return ops.where(mask, ops.convert_to_tensor(fill, "float32"), images)


def _box(draws, length, box_length):
    """Returns which positions along one axis the box covers: bool `(B, length)`."""
    center = ops.cast(draws * ops.cast(length, "float32"), "int32")[:, None]
    start = center - box_length // 2
    positions = ops.arange(length, dtype="int32")
    return (positions >= start) & (positions < start + box_length)
