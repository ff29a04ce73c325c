"""Random Gaussian blur."""

import dataclasses
import functools
import math

import keras

from keras_ssl import _tensorflow as tf
from keras_ssl.validation import check_fraction, check_interval
from keras_ssl.views import per_image
from keras_ssl.views.backend import matmul, ops
from keras_ssl.views.base import View, apply_where
from keras_ssl.views.ops.resample import reflect, resample

# Standard deviations after which a kernel is cut off. The weight there is 3e-7 of the center's,
# which float32 cannot show.
CUTOFF = 5.5
COMPILED_RADII = (3, 6, 12, 24)  # the loop over a kernel is unrolled once for each of these


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class GaussianBlur(View):
    """Blurs each image with a Gaussian of random width. Borders are reflected.

    Args:
        sigma: Pair of numbers above 0, smallest and largest standard deviation in pixels.
        kernel_size: Odd int > 0, the width in pixels that the Gaussian is cut to. None for a
            tenth of the image's shorter side, at least 3.
        probability: Float in 0..1.

    Raises:
        TypeError: If `sigma` is not a pair of numbers or `probability` is not a number.
        ValueError: If an argument is out of range.

    Source:
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A. Kernel and borders as in
        torchvision.transforms.v2.GaussianBlur.
    """

    sigma: tuple[float, float] = (0.1, 2.0)
    kernel_size: int | None = None
    probability: float = 0.5

    runs_on_device = True

    def __post_init__(self):
        check_interval(0, exclusive=True, sigma=self.sigma)
        self._set(sigma=tuple(self.sigma))
        size = self.kernel_size
        if size is not None and not (type(size) is int and size > 0 and size % 2):
            raise ValueError(
                f"`kernel_size` must be an odd int above 0 or None, received {size!r}."
            )
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        selected, sigma = self._draw(images, seed)
        return apply_where(images, selected, self._blur, sigma)

    def per_image_op(self, images, seed, shape):
        if not per_image.is_large(shape) or not per_image.supports_xla():
            return None
        shorter_side = min(shape[:2])
        radius = self._radius(shorter_side, max)
        radii = sorted({min(radius, candidate) for candidate in COMPILED_RADII})
        needed = min(radius, math.ceil(CUTOFF * self.sigma[1]))
        if radii[-1] < needed or radii[-1] >= shorter_side:
            return None
        blur = _compiled_blur(tuple(radii))
        return per_image.conditional_op(blur, *self._draw(images, seed), shape=shape)

    def _draw(self, images, seed):
        """Draws which images are blurred and the standard deviations: `(B,)` each."""
        draws = self.uniform(images, seed, 2)
        low, high = self.sigma
        return draws[:, 1] < self.probability, low + (high - low) * draws[:, 0]

    def _radius(self, shorter_side, maximum):
        """Returns the kernel's pixels on each side of its center; `maximum` is Python's or TF's."""
        return maximum(1, shorter_side // 20) if self.kernel_size is None else self.kernel_size // 2

    def _blur(self, images, sigma):
        height, width = ops.shape(images)[1:3]
        are_known = isinstance(height, int) and isinstance(width, int)
        minimum, maximum = (min, max) if are_known else (tf.minimum, tf.maximum)
        radius = self._radius(minimum(height, width), maximum)
        offsets = ops.arange(-radius, radius + 1, dtype="int32")
        kernel = _kernel(offsets, sigma[:, None])
        return resample(images, _matrix(kernel, offsets, height), _matrix(kernel, offsets, width))


def _kernel(offsets, sigma):
    """Returns the normalized Gaussian at integer offsets: `(..., taps)`."""
    kernel = ops.exp(-0.5 * ops.square(ops.cast(offsets, "float32") / sigma))
    return kernel / ops.sum(kernel, axis=-1, keepdims=True)


@functools.cache
def _compiled_blur(radii):
    """Returns a function that blurs an image `(H, W, C)`, with the smallest sufficient radius."""

    def blur(image, sigma):
        needed = tf.cast(tf.math.ceil(CUTOFF * sigma), tf.int32)
        index = tf.reduce_sum(tf.cast(needed > tf.constant(radii[:-1], tf.int32), tf.int32))
        for axis in range(2):
            branches = [
                functools.partial(_convolve_axis, image, sigma, radius, axis) for radius in radii
            ]
            image = tf.switch_case(index, branches)
        return image

    return per_image.xla_jit(blur)


def _convolve_axis(image, sigma, radius, axis):
    """Convolves one axis of an image as a weighted sum of shifted copies."""
    height, width, channels = image.shape
    kernel = _kernel(tf.range(-radius, radius + 1), sigma)
    padding = [(0, 0)] * 3
    padding[axis] = (radius, radius)
    padded = tf.pad(image, padding, "REFLECT")
    rows = tf.reshape(padded, (padded.shape[0], -1))
    total = 0.0
    for tap in range(2 * radius + 1):
        if axis == 0:
            shifted = rows[tap : tap + height]
        else:
            shifted = rows[:, tap * channels : (tap + width) * channels]
        total += kernel[tap] * shifted
    return tf.minimum(tf.reshape(total, image.shape), 1.0)


def _matrix(kernel, offsets, length):
    """Returns matrices `(B, length, length)` that convolve one axis with reflected ends."""
    positions = ops.arange(length, dtype="int32")
    source = reflect(positions[:, None] + offsets, length)
    taps = ops.cast(source[:, None, :] == positions[None, :, None], "float32")
    # (B, taps) by (taps, outputs * inputs).
    count = ops.shape(offsets)[0]
    taps = ops.reshape(ops.transpose(taps, (2, 0, 1)), (count, length * length))
    return ops.reshape(matmul(kernel, taps), (-1, length, length))
