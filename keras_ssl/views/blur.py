"""Random blur."""

import dataclasses

import keras
import tensorflow as tf

from keras_ssl.views import checks
from keras_ssl.views.base import View, on_some
from keras_ssl.views.resample import resample


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class GaussianBlur(View):
    """Blurs with a Gaussian whose width is drawn for each image; borders are reflected.

    Args:
        sigma: Pair of numbers above 0, smallest and largest standard deviation in pixels.
        kernel_size: Odd int > 0, the pixels that the Gaussian is cut to; None for a tenth of the
            image's shorter side, at least 3.
        probability: Float in 0..1.

    Raises:
        TypeError: If `sigma` is not a pair of numbers or `probability` not a number.
        ValueError: If an argument is out of range.

    Source:
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A. Kernel and borders are
        those of torchvision.transforms.v2.GaussianBlur.
    """

    sigma: tuple[float, float] = (0.1, 2.0)
    kernel_size: int | None = None
    probability: float = 0.5

    def __post_init__(self):
        self._set(sigma=checks.interval("sigma", self.sigma, 0, above=True))
        size = self.kernel_size
        if size is not None and not (checks.is_integer(size) and size % 2):
            raise ValueError(
                f"`kernel_size` must be an odd int above 0 or None, received {size!r}."
            )
        checks.probability(self.probability)

    def transform(self, images, seed):
        """Blurs."""
        draws = self.draws(images, seed, 2)
        smallest, largest = self.sigma
        sigma = smallest + (largest - smallest) * draws[:, 0]
        return on_some(images, draws[:, 1] < self.probability, self._blur, sigma)

    def _blur(self, images, sigma):
        height, width = tf.unstack(tf.shape(images)[1:3])
        if self.kernel_size is None:
            radius = tf.maximum(1, tf.minimum(height, width) // 20)
        else:
            radius = self.kernel_size // 2
        offsets = tf.range(-radius, radius + 1)
        kernel = tf.exp(-0.5 * tf.square(tf.cast(offsets, tf.float32) / sigma[:, None]))
        kernel /= tf.reduce_sum(kernel, axis=1, keepdims=True)
        return resample(images, _matrix(kernel, offsets, height), _matrix(kernel, offsets, width))


def _matrix(kernel, offsets, length):
    """Matrices `(B, length, length)` that convolve one axis, its ends reflected."""
    period = tf.maximum(1, 2 * (length - 1))
    source = tf.math.floormod(tf.range(length)[:, None] + offsets, period)
    source = tf.minimum(source, period - source) % length  # there and back; `%` for one pixel
    taps = tf.one_hot(source, length, axis=1)  # (output, input, tap)
    return tf.einsum("bk,oik->boi", kernel, taps)
