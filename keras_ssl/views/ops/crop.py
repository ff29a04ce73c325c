"""Random crops, resized."""

import dataclasses
import math

import keras
import tensorflow as tf

from keras_ssl.validation import as_size, check_interval
from keras_ssl.views import per_image
from keras_ssl.views.base import View, to_unit_range
from keras_ssl.views.ops.resample import resample

ATTEMPTS = 10

# Pixels up to which matrices for the whole batch are no slower than resizing one by one. Measured
# on one core: 1.7 times as fast at 32x32, 0.9 at 48x48, 0.5 at 96x96, 0.2 at 224x224.
LARGE = 40 * 40


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomResizedCrop(View):
    """Cuts a random box out of each image and resizes it.

    The box's share of the image's area is uniform in `scale` and the logarithm of its aspect
    ratio (width / height) is uniform in that of `ratio`; a box that does not fit is drawn again,
    ten times, after which the largest central box within `ratio` is taken. Height and width are
    rounded to whole pixels and the place is uniform among those inside the image. Resizing is
    bilinear, with half-pixel centers, antialiased where the box is larger than `size`.

    Args:
        size: Int > 0, or pair `(height, width)`.
        scale: Pair of numbers in 0..1, smallest and largest share of the area.
        ratio: Pair of numbers above 0, smallest and largest width / height.

    Raises:
        TypeError: If `scale` or `ratio` is not a pair of numbers.
        ValueError: If an argument is out of range.

    Source:
        Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, section 6; drawn and rounded as
        torchvision.transforms.v2.RandomResizedCrop does.
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self):
        check_interval(0, 1, exclusive=True, scale=self.scale)
        check_interval(0, exclusive=True, ratio=self.ratio)
        self._set(size=as_size(self.size), scale=tuple(self.scale), ratio=tuple(self.ratio))

    @property
    def takes_bytes(self):
        """Only what is cut out is made float; a subclass's own `transform` gets floats."""
        return type(self).transform is RandomResizedCrop.transform

    def transform(self, images, seed, mirrored=None):
        """Cuts and resizes; mirrors some on the way, where bool `mirrored` `(B,)` says which."""
        if plan := self.plan(images, seed, images.shape[1:], mirrored):
            return per_image.apply_per_image([plan], images)
        top, left, height, width = self.boxes(images, seed)
        rows = weights(top, height, tf.shape(images)[1], self.size[0])
        columns = weights(left, width, tf.shape(images)[2], self.size[1], mirrored)
        return resample(to_unit_range(images), rows, columns)

    def plan(self, images, seed, shape, mirrored=None):
        """Cuts and resizes one by one, unless images are known to be small."""
        is_first = images.shape[1:].as_list() == shape.as_list()  # boxes are drawn of `images`
        if not is_first or (shape[:2].num_elements() or 0) <= LARGE:
            return None
        if mirrored is None:
            mirrored = tf.zeros(tf.shape(images)[:1], tf.bool)
        box = tf.cast(tf.stack(self.boxes(images, seed), axis=1), tf.int32)
        return per_image.PerImageOp(
            self._one, (box, mirrored), tf.TensorShape((*self.size, shape[-1]))
        )

    def boxes(self, images, seed):
        """Draws a box for each image: top, left, height, width, whole numbers as float32 `(B,)`."""
        full_height, full_width = tf.unstack(tf.cast(tf.shape(images)[1:3], tf.float32))
        draws = self.draws(images, seed, 2 * ATTEMPTS + 2)
        area = between(*self.scale, draws[:, :ATTEMPTS]) * full_height * full_width
        low, high = map(math.log, self.ratio)
        aspect = tf.exp(between(low, high, draws[:, ATTEMPTS:-2]))
        heights, widths = tf.round(tf.sqrt(area / aspect)), tf.round(tf.sqrt(area * aspect))
        fits = (heights >= 1) & (heights <= full_height) & (widths >= 1) & (widths <= full_width)
        first = tf.argmax(tf.cast(fits, tf.int32), axis=1)  # 0 where none fits
        fitted = tf.gather(fits, first, batch_dims=1)
        # Inside `ratio` both are the whole image.
        central_height = tf.clip_by_value(tf.round(full_width / self.ratio[0]), 1.0, full_height)
        central_width = tf.clip_by_value(tf.round(full_height * self.ratio[1]), 1.0, full_width)
        height = tf.where(fitted, tf.gather(heights, first, batch_dims=1), central_height)
        width = tf.where(fitted, tf.gather(widths, first, batch_dims=1), central_width)
        room_above, room_left = full_height - height, full_width - width
        top = tf.where(fitted, tf.floor(draws[:, -2] * (room_above + 1)), room_above // 2)
        left = tf.where(fitted, tf.floor(draws[:, -1] * (room_left + 1)), room_left // 2)
        return top, left, height, width

    def _one(self, image, box, is_mirrored):
        top, left, height, width = tf.unstack(box)
        part = image[top : top + height, left : left + width]
        cut = tf.cond(is_mirrored, lambda: tf.reverse(part, [1]), lambda: part)[None]

        def enlarged():  # where nothing is left out antialiasing changes nothing, and takes longer
            return tf.image.resize(cut, self.size)

        def resized():
            return tf.image.resize(cut, self.size, antialias=True)

        is_enlarged = (height <= self.size[0]) & (width <= self.size[1])
        made = tf.cond(is_enlarged, enlarged, resized)[0]
        return tf.minimum(made / 255.0 if image.dtype == tf.uint8 else made, 1.0)


def between(low, high, draws):
    """Moves draws that are uniform in 0..1 to `low..high`."""
    return low + (high - low) * draws


def weights(start, length, full, size, mirrored=None):
    """Matrices that cut and resize one axis: `(B, size, full)`, each row summing to 1.

    Output i looks at `(i + 1/2) * length / size` in the cut, through a triangle as wide as two
    input pixels, or as two output pixels where these are larger. Where bool `mirrored` `(B,)` says
    so, the last output is the first.
    """
    outputs = tf.range(size, dtype=tf.float32)[:, None]
    if mirrored is not None:
        outputs = tf.where(mirrored[:, None, None], size - 1.0 - outputs, outputs)
    step = (length / size)[:, None, None]
    start, end = start[:, None, None], (start + length)[:, None, None]
    middles = start + (outputs + 0.5) * step
    pixels = tf.range(tf.cast(full, tf.float32)) + 0.5
    triangle = tf.nn.relu(1.0 - tf.abs(pixels - middles) / tf.maximum(step, 1.0))
    triangle *= tf.cast((pixels > start) & (pixels < end), tf.float32)
    return triangle / tf.reduce_sum(triangle, axis=-1, keepdims=True)
