"""Random resized crops."""

import dataclasses
import math

import keras

from keras_ssl import _tensorflow as tf
from keras_ssl._types import Tensor
from keras_ssl.validation import as_size, check_interval
from keras_ssl.views import per_image
from keras_ssl.views.backend import ops
from keras_ssl.views.base import View, is_uint8, to_unit_range
from keras_ssl.views.ops.resample import resample

ATTEMPTS = 10  # torchvision's

# Pixels up to which resampling matrices for the whole batch are used. Their speed relative to one
# image at a time, measured on one core: 1.7 at 32 x 32, 0.9 at 48 x 48, 0.5 at 96 x 96, 0.2 at
# 224 x 224.
MAX_MATRIX_PIXELS = 40 * 40


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomResizedCrop(View):
    """Crops a random box of each image and resizes it.

    The area of the box, as a fraction of the image, is uniform in `scale`. The logarithm of its
    aspect ratio (width / height) is uniform in that of `ratio`. A box that does not fit is drawn
    again, up to ten times. Then the largest central box within `ratio` is used. Height and width
    are rounded to whole pixels, and the position is uniform among those inside the image. Resizing
    is bilinear with half-pixel centers, and antialiased if the box is larger than `size`.

    Args:
        size: Int > 0, or pair `(height, width)`, of the output.
        scale: Pair of numbers in 0..1, smallest and largest fraction of the area.
        ratio: Pair of numbers above 0, smallest and largest width / height.

    Raises:
        TypeError: If `scale` or `ratio` is not a pair of numbers.
        ValueError: If an argument is out of range.

    Source:
        Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, section 6. Random numbers and
        rounding as in torchvision.transforms.v2.RandomResizedCrop.
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    accepts_uint8 = True  # only the pixels of the box are converted
    runs_on_device = True

    def __post_init__(self):
        check_interval(0, 1, exclusive=True, scale=self.scale)
        check_interval(0, exclusive=True, ratio=self.ratio)
        self._set(size=as_size(self.size), scale=tuple(self.scale), ratio=tuple(self.ratio))

    def transform(self, images, seed, flipped: Tensor | None = None):
        # `Compose` passes `flipped`, bool (B,): the images that the next view, a flip, selects.
        top, left, height, width = self.draw_boxes(images, seed)
        num_rows, num_columns = as_size(self.size)
        rows = resize_matrix(top, height, ops.shape(images)[1], num_rows)
        columns = resize_matrix(left, width, ops.shape(images)[2], num_columns, flipped)
        return resample(to_unit_range(images), rows, columns)

    def per_image_op(self, images, seed, shape, flipped: Tensor | None = None):
        is_first = tuple(images.shape)[1:] == shape  # boxes are drawn for `images`
        if not is_first or per_image.num_pixels(shape) <= MAX_MATRIX_PIXELS:
            return None
        if flipped is None:
            flipped = tf.zeros(tf.shape(images)[:1], tf.bool)
        boxes = tf.cast(tf.stack(self.draw_boxes(images, seed), axis=1), tf.int32)
        output_shape = (*as_size(self.size), shape[-1])
        return per_image.PerImageOp(self._crop_image, (boxes, flipped), output_shape)

    def draw_boxes(self, images: Tensor, seed: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draws a box for each image.

        Args:
            images: The batch `(B, H, W, C)`. Only its shape is used.
            seed: int32 tensor `(2,)`.

        Returns:
            Top, left, height and width: whole numbers as float32 `(B,)`.
        """
        full_height, full_width = (ops.cast(side, "float32") for side in ops.shape(images)[1:3])
        draws = self.uniform(images, seed, 2 * ATTEMPTS + 2)
        area = interpolate(*self.scale, draws[:, :ATTEMPTS]) * full_height * full_width
        low, high = map(math.log, self.ratio)
        aspect = ops.exp(interpolate(low, high, draws[:, ATTEMPTS:-2]))
        heights, widths = ops.round(ops.sqrt(area / aspect)), ops.round(ops.sqrt(area * aspect))
        fits = (heights >= 1) & (heights <= full_height) & (widths >= 1) & (widths <= full_width)
        # The first that fits, or 0.
        attempt = ops.argmax(ops.cast(fits, "int32"), axis=1)[:, None]

        def of_attempt(values):
            return ops.take_along_axis(values, attempt, axis=1)[:, 0]

        has_fit = ops.any(fits, axis=1)
        # If the image's own aspect is within `ratio`, the central box is the whole image.
        central_height = ops.clip(ops.round(full_width / self.ratio[0]), 1.0, full_height)
        central_width = ops.clip(ops.round(full_height * self.ratio[1]), 1.0, full_width)
        height = ops.where(has_fit, of_attempt(heights), central_height)
        width = ops.where(has_fit, of_attempt(widths), central_width)
        margin_y, margin_x = full_height - height, full_width - width
        top = ops.where(has_fit, ops.floor(draws[:, -2] * (margin_y + 1)), margin_y // 2)
        left = ops.where(has_fit, ops.floor(draws[:, -1] * (margin_x + 1)), margin_x // 2)
        return top, left, height, width

    def _crop_image(self, image, box, is_flipped):
        top, left, height, width = tf.unstack(box)
        crop = image[top : top + height, left : left + width]
        crop = tf.cond(is_flipped, lambda: tf.reverse(crop, [1]), lambda: crop)[None]
        # Antialiasing takes longer and changes nothing if both sides are enlarged.
        is_enlarged = (height <= self.size[0]) & (width <= self.size[1])
        resized = tf.cond(
            is_enlarged,
            lambda: tf.image.resize(crop, self.size),
            lambda: tf.image.resize(crop, self.size, antialias=True),
        )[0]
        return tf.minimum(resized / 255.0 if is_uint8(image) else resized, 1.0)


def interpolate(low, high, fraction):
    """Maps fractions in 0..1 linearly to `low..high`."""
    return low + (high - low) * fraction


def resize_matrix(start, length, full_length, size, flipped=None):
    """Returns matrices that crop and resize one axis: `(B, size, full_length)`, rows sum to 1.

    Output `i` samples the crop at `(i + 1/2) * length / size` with a triangle filter. The filter is
    two input pixels wide, or two output pixels if these are larger.

    Args:
        start: float32 `(B,)`, first pixel of the crop.
        length: float32 `(B,)`, pixels of the crop.
        full_length: Int, pixels of the image.
        size: Int, pixels of the output.
        flipped: Bool `(B,)`, which outputs are reversed, or None.
    """
    outputs = ops.arange(size, dtype="float32")[:, None]
    if flipped is not None:
        outputs = ops.where(flipped[:, None, None], size - 1.0 - outputs, outputs)
    step = (length / size)[:, None, None]
    start, end = start[:, None, None], (start + length)[:, None, None]
    centers = start + (outputs + 0.5) * step
    pixels = ops.cast(ops.arange(full_length, dtype="int32"), "float32") + 0.5
    weights = ops.relu(1.0 - ops.abs(pixels - centers) / ops.maximum(step, 1.0))
    weights *= ops.cast((pixels > start) & (pixels < end), "float32")
    return weights / ops.sum(weights, axis=-1, keepdims=True)
