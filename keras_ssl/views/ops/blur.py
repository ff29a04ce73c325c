"""Random blur."""

import dataclasses
import functools
import math

import keras
import tensorflow as tf

from keras_ssl.validation import check_fraction, check_interval
from keras_ssl.views import per_image
from keras_ssl.views.base import View, apply_where
from keras_ssl.views.ops.resample import resample

REACH = 5.5  # standard deviations: what lies beyond weighs 3e-7 of the middle


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
        check_interval(0, exclusive=True, sigma=self.sigma)
        self._set(sigma=tuple(self.sigma))
        size = self.kernel_size
        if size is not None and not (type(size) is int and size > 0 and size % 2):
            raise ValueError(
                f"`kernel_size` must be an odd int above 0 or None, received {size!r}."
            )
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        """Blurs."""
        if plan := self.plan(images, seed, images.shape[1:]):
            return per_image.apply_per_image([plan], images)
        chosen, sigma = self._drawn(images, seed)
        return apply_where(images, chosen, self._blur, sigma)

    def plan(self, images, seed, shape):
        """Blurs large images one by one, compiled."""
        if not per_image.is_large(shape) or not per_image.supports_xla():
            return None
        radius = self._radius(min(shape[:2]), max)
        radii = sorted({min(radius, each) for each in (3, 6, 12, 24)})
        # Taps that weigh less than a float shows are left out.
        if radii[-1] < min(radius, math.ceil(REACH * self.sigma[1])) or radii[-1] >= min(shape[:2]):
            return None

        change = _compiled(tuple(radii))
        return per_image.apply_where_chosen(change, *self._drawn(images, seed), shape=shape)

    def _drawn(self, images, seed):
        """Draws which images are blurred, and by how much: `(B,)` each."""
        draws = self.draws(images, seed, 2)
        smallest, largest = self.sigma
        return draws[:, 1] < self.probability, smallest + (largest - smallest) * draws[:, 0]

    def _radius(self, side, maximum):
        """Pixels beside the middle one that the kernel reaches, on images of a shorter side."""
        return maximum(1, side // 20) if self.kernel_size is None else self.kernel_size // 2

    def _blur(self, images, sigma):
        height, width = tf.unstack(tf.shape(images)[1:3])
        radius = self._radius(tf.minimum(height, width), tf.maximum)
        offsets = tf.range(-radius, radius + 1)
        kernel = _kernel(offsets, sigma[:, None])
        return resample(images, _matrix(kernel, offsets, height), _matrix(kernel, offsets, width))


def _kernel(offsets, sigma):
    """Gaussian at whole offsets, `(..., taps)`."""
    kernel = tf.exp(-0.5 * tf.square(tf.cast(offsets, tf.float32) / sigma))
    return kernel / tf.reduce_sum(kernel, axis=-1, keepdims=True)


@functools.cache
def _compiled(radii):
    """Blurs one image `(H, W, C)` by a kernel of the smallest radius that its width asks for."""

    def blur(image, sigma):
        reach = tf.cast(tf.math.ceil(REACH * sigma), tf.int32)
        which = tf.reduce_sum(tf.cast(reach > tf.constant(radii[:-1], tf.int32), tf.int32))
        for axis in range(2):
            ways = [functools.partial(_pass, image, sigma, radius, axis) for radius in radii]
            image = tf.switch_case(which, ways)
        return image

    return per_image.xla_jit(blur)


def _pass(image, sigma, radius, axis):
    """A pass along one axis: shifted copies added up."""
    height, width, channels = image.shape
    kernel = _kernel(tf.range(-radius, radius + 1), sigma)
    around = [(0, 0)] * 3
    around[axis] = (radius, radius)
    padded = tf.pad(image, around, "REFLECT")
    flat = tf.reshape(padded, (padded.shape[0], -1))
    total = 0.0
    for tap in range(2 * radius + 1):
        if axis == 0:
            part = flat[tap : tap + height]
        else:
            part = flat[:, tap * channels : (tap + width) * channels]
        total += kernel[tap] * part
    return tf.minimum(tf.reshape(total, image.shape), 1.0)


def _matrix(kernel, offsets, length):
    """Matrices `(B, length, length)` that convolve one axis, its ends reflected."""
    period = tf.maximum(1, 2 * (length - 1))
    source = tf.math.floormod(tf.range(length)[:, None] + offsets, period)
    source = tf.minimum(source, period - source) % length  # there and back; `%` for one pixel
    taps = tf.one_hot(source, length, axis=1)  # (output, input, tap)
    return tf.einsum("bk,oik->boi", kernel, taps)
