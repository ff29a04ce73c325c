"""Random brightness, contrast, saturation and hue."""

import dataclasses
import functools

import keras
import tensorflow as tf

from keras_ssl.validation import check_fraction, check_interval, check_number
from keras_ssl.views import per_image
from keras_ssl.views.base import View
from keras_ssl.views.ops.grayscale import luminance

BLENDS = ("brightness", "contrast", "saturation")


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class ColorJitter(View):
    """Changes brightness, contrast, saturation and hue, in an order drawn for each image.

    Brightness multiplies by a factor. Contrast and saturation blend with gray, by a factor where 1
    means no change: contrast with the mean luminance of the image, saturation with the luminance
    of each pixel. Hue turns the hue of HSV. Values are cut to 0..1 after each step. Gray images
    have neither saturation nor hue; an alpha channel stays as it is.

    Args:
        brightness: Float b >= 0, for a factor uniform in `max(0, 1 - b)..1 + b`; or a pair.
        contrast: Likewise.
        saturation: Likewise.
        hue: Float h in 0..0.5, for a turn uniform in `-h..h`, 1 being the full circle; or a pair
            in -0.5..0.5.
        probability: Float in 0..1, how often an image is changed at all.

    Raises:
        TypeError: If an argument is neither a number nor, except `probability`, a pair.
        ValueError: If an argument is out of range.

    Source:
        torchvision.transforms.v2.ColorJitter on float images. Chen et al. 2020,
        https://arxiv.org/abs/2002.05709, appendix A, sets the probability around it.
    """

    brightness: float | tuple[float, float] = 0.0
    contrast: float | tuple[float, float] = 0.0
    saturation: float | tuple[float, float] = 0.0
    hue: float | tuple[float, float] = 0.0
    probability: float = 1.0

    def __post_init__(self):
        for name in BLENDS:
            self._set(**{name: _checked(name, getattr(self, name), 0)})
        self._set(hue=_checked("hue", self.hue, -0.5, 0.5))
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        """Changes colors."""
        if plan := self.plan(images, seed, images.shape[1:]):
            return per_image.apply_per_image([plan], images)
        ranges = self._ranges(images.shape[-1])
        if not ranges:
            return images
        names, count = list(ranges), len(ranges)
        order, amounts, chosen = self._drawn(images, seed, ranges)

        # Hue costs as much as two blends, so images are grouped by when their hue is turned.
        slots = range(count) if "hue" in names else (None,)
        rows, changed = [], []
        for slot in slots:
            in_group = chosen if slot is None else chosen & (order[:, slot] == names.index("hue"))
            index = tf.where(in_group)
            picked = (tf.gather(x, index[:, 0]) for x in (images, order, amounts))
            rows.append(index)
            changed.append(_jitter(*picked, names, slot))
        return tf.tensor_scatter_nd_update(images, tf.concat(rows, 0), tf.concat(changed, 0))

    def plan(self, images, seed, shape):
        """Changes large images one by one, compiled."""
        ranges = self._ranges(shape[-1])
        if not ranges or not per_image.is_large(shape) or not per_image.supports_xla():
            return None
        order, amounts, chosen = self._drawn(images, seed, ranges)
        change = functools.partial(_one, names=tuple(ranges))
        return per_image.apply_where_chosen(change, chosen, order, amounts, shape=shape)

    def _drawn(self, images, seed, ranges):
        """Draws the order of the changes and their amounts `(B, n)`, and which images change."""
        count = len(ranges)
        draws = self.draws(images, seed, 2 * count + 1)
        low, high = (tf.constant(ends, tf.float32) for ends in zip(*ranges.values(), strict=True))
        amounts = low + (high - low) * draws[:, count:-1]
        return tf.argsort(draws[:, :count]), amounts, draws[:, -1] < self.probability

    def _ranges(self, channels):
        """Ranges of the operations that change anything, by name."""
        ranges = {}
        for name in BLENDS if channels > 1 else BLENDS[:2]:
            value = getattr(self, name)
            pair = value if isinstance(value, tuple) else (max(0.0, 1.0 - value), 1.0 + value)
            if pair != (1, 1):
                ranges[name] = pair
        hue = self.hue if isinstance(self.hue, tuple) else (-self.hue, self.hue)
        if channels > 1 and hue != (0, 0):
            ranges["hue"] = hue
        return ranges


def _jitter(images, order, amounts, names, hue_slot):
    """Applies to each image its operations in its order; all turn their hue at `hue_slot`."""
    colors, alpha = _planes(images)
    colors = _in_order(colors, order, amounts, names, hue_slot)
    return _image(colors + alpha, images)


def _one(image, order, amounts, names):
    """As `_jitter` for one image, compiled."""
    colors = _compiled(names)(image[None], order[None], amounts[None])
    return _compiled_image()(colors, image[None])[0]


def _planes(images):
    """Colors and alpha: lists of `(B, pixels)`."""
    planes = [tf.reshape(x, (tf.shape(x)[0], -1)) for x in tf.unstack(images, axis=-1)]
    return planes[:3], planes[3:]


def _image(planes, like):
    """Puts planes together to images of the shape of others."""
    shape = tf.shape(like)
    stacked = tf.transpose(tf.stack(planes, axis=1), (0, 2, 1))
    return tf.ensure_shape(tf.reshape(stacked, shape), like.shape)


def _in_order(colors, order, amounts, names, hue_slot):
    """Does to each image's colors its operations, one after the other."""
    for slot in range(len(names)):
        operation = order[:, slot, None]
        amount = tf.gather(amounts, operation, batch_dims=1)
        if slot == hue_slot:
            colors = turn_hue(colors, amount)
        else:
            is_blend = {name: operation == index for index, name in enumerate(names)}
            colors = _blend(colors, amount, is_blend.get("contrast"), is_blend.get("saturation"))
    return colors


@functools.cache
def _compiled(names):
    """Planes after all operations, as one loop over pixels, the same for all views."""

    def run(images, order, amounts):
        colors, alpha = _planes(images)

        def turned_at(slot):
            return lambda: _in_order(colors, order, amounts, names, slot)

        if "hue" not in names:
            return turned_at(None)() + alpha
        at = tf.argmax(tf.equal(order[0], names.index("hue")), output_type=tf.int32)
        # A choice in compiled code: its ways are not split among cores, which have other batches.
        return tf.switch_case(at, [turned_at(slot) for slot in range(len(names))]) + alpha

    return per_image.xla_jit(run)


@functools.cache
def _compiled_image():
    """`_image` likewise; a function of its own, or each output would compute all inputs again."""
    return per_image.xla_jit(_image)


def _blend(colors, factor, to_mean, to_gray):
    """`factor * color + (1 - factor) * target`; the target of brightness is black."""
    target = 0.0
    if to_mean is not None or to_gray is not None:
        gray = luminance(colors)
    if to_gray is not None:
        target += tf.where(to_gray, 1.0 - factor, 0.0) * gray
    if to_mean is not None:
        target += tf.where(to_mean, 1.0 - factor, 0.0) * tf.reduce_mean(gray, 1, keepdims=True)
    return [tf.clip_by_value(factor * color + target, 0.0, 1.0) for color in colors]


def turn_hue(colors, turn):
    """Adds to the hue of HSV.

    Args:
        colors: Red, green and blue, float32 in 0..1, of equal shape `(B, pixels)`.
        turn: float32 `(B, 1)`, 1 being the full circle.

    Returns:
        List of red, green and blue.
    """
    red, green, blue = colors
    value = tf.maximum(tf.maximum(red, green), blue)
    lowest = tf.minimum(tf.minimum(red, green), blue)
    chroma = value - lowest
    scale = 1.0 / tf.maximum(chroma, 1e-12)  # of gray pixels any hue will do
    hue = tf.where(
        value == red,
        (green - blue) * scale,
        tf.where(value == green, (blue - red) * scale + 2.0, (red - green) * scale + 4.0),
    )
    hue += 6.0 * turn  # in sixths of the circle
    hue -= 6.0 * tf.floor(hue / 6.0)
    shares = (tf.abs(hue - 3.0) - 1.0, 2.0 - tf.abs(hue - 2.0), 2.0 - tf.abs(hue - 4.0))
    return [lowest + chroma * tf.clip_by_value(share, 0.0, 1.0) for share in shares]


def _checked(name, value, low, high=float("inf")):
    if isinstance(value, (tuple, list)):
        check_interval(low, high, **{name: value})
        return tuple(value)
    check_number(0, high, **{name: value})
    return value
