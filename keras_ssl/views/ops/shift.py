"""Random shifts."""

import dataclasses

import keras

from keras_ssl.validation import check_int
from keras_ssl.views.backend import ops
from keras_ssl.views.base import View
from keras_ssl.views.ops.resample import reflect


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

    runs_on_device = True

    def __post_init__(self):
        check_int(1, pixels=self.pixels)

    def transform(self, images, seed):
        batch, height, width, channels = ops.shape(images)
        draws = self.uniform(images, seed, 2) * (2 * self.pixels + 1)
        offsets = ops.cast(draws, "int32") - self.pixels
        rows = reflect(ops.arange(height, dtype="int32") + offsets[:, :1], height)
        columns = reflect(ops.arange(width, dtype="int32") + offsets[:, 1:], width)
        first = ops.arange(batch, dtype="int32")[:, None, None] * (height * width)
        indices = first + rows[:, :, None] * width + columns[:, None, :]
        # One row per pixel of the batch, because gathering along an axis is slow on CPUs.
        pixels = ops.reshape(images, (batch * height * width, channels))
        return ops.reshape(ops.take(pixels, indices, axis=0), ops.shape(images))
