"""Random brightness, contrast, saturation and hue."""

import dataclasses
import functools

import keras

from keras_ssl import _tensorflow as tf
from keras_ssl.validation import check_fraction, check_interval, check_number
from keras_ssl.views import per_image
from keras_ssl.views.backend import ops, selects_images
from keras_ssl.views.base import View
from keras_ssl.views.ops.grayscale import luminance

BLENDS = ("brightness", "contrast", "saturation")


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class ColorJitter(View):
    """Changes brightness, contrast, saturation and hue in random order.

    Brightness multiplies by a factor. Contrast and saturation blend with gray, and a factor of 1
    changes nothing: contrast blends with the mean luminance of the image, saturation with the
    luminance of each pixel. Hue rotates the hue of HSV. Values are clipped to 0..1 after each
    step. Gray images have no saturation and no hue. An alpha channel is not changed.

    Args:
        brightness: Float b >= 0 for factors uniform in `max(0, 1 - b)..1 + b`, or a pair
            `(smallest, largest)` of factors.
        contrast: Float or pair, as `brightness`.
        saturation: Float or pair, as `brightness`.
        hue: Float h in 0..0.5 for rotations uniform in `-h..h`, where 1 is the full circle, or a
            pair in -0.5..0.5.
        probability: Float in 0..1, how often an image is changed at all.

    Raises:
        TypeError: If an argument is neither a number nor a pair. `probability` must be a number.
        ValueError: If an argument is out of range.

    Source:
        torchvision.transforms.v2.ColorJitter on float images. The probability is that of Chen et
        al. 2020, https://arxiv.org/abs/2002.05709, appendix A.
    """

    brightness: float | tuple[float, float] = 0.0
    contrast: float | tuple[float, float] = 0.0
    saturation: float | tuple[float, float] = 0.0
    hue: float | tuple[float, float] = 0.0
    probability: float = 1.0

    runs_on_device = True

    def __post_init__(self):
        for name in BLENDS:
            self._set(**{name: _as_amount(name, getattr(self, name), 0)})
        self._set(hue=_as_amount("hue", self.hue, -0.5, 0.5))
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        ranges = self._ranges(images.shape[-1])
        if not ranges:
            return images
        names = list(ranges)
        order, amounts, selected = self._draw(images, seed, ranges)
        if not selects_images():
            changed = _jitter(images, order, amounts, names, None)
            return ops.where(selected[:, None, None, None], changed, images)

        # Hue costs as much as two blends. Group the images by the step that changes their hue, so
        # that it is computed once for each image.
        hue_steps = range(len(names)) if "hue" in names else (None,)
        indices, results = [], []
        for hue_step in hue_steps:
            in_group = selected
            if hue_step is not None:
                in_group &= order[:, hue_step] == names.index("hue")
            index = tf.where(in_group)
            group = (tf.gather(x, index[:, 0]) for x in (images, order, amounts))
            indices.append(index)
            results.append(_jitter(*group, names, hue_step))
        return tf.tensor_scatter_nd_update(images, tf.concat(indices, 0), tf.concat(results, 0))

    def per_image_op(self, images, seed, shape):
        ranges = self._ranges(shape[-1])
        if not ranges or not per_image.is_large(shape) or not per_image.supports_xla():
            return None
        order, amounts, selected = self._draw(images, seed, ranges)
        jitter = functools.partial(_jitter_image, names=tuple(ranges))
        return per_image.conditional_op(jitter, selected, order, amounts, shape=shape)

    def _draw(self, images, seed, ranges):
        """Draws the order of the n changes, amounts in this order, `(B, n)`, and images: `(B,)`."""
        count = len(ranges)
        draws = self.uniform(images, seed, 2 * count + 1)
        low, high = (
            ops.convert_to_tensor(ends, "float32") for ends in zip(*ranges.values(), strict=True)
        )
        amounts = low + (high - low) * draws[:, count:-1]
        order = ops.argsort(draws[:, :count])
        amounts = ops.take_along_axis(amounts, order, axis=1)
        return order, amounts, draws[:, -1] < self.probability

    def _ranges(self, channels):
        """Returns the ranges of those changes that have an effect, by name."""
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


def rotate_hue(colors, turns):
    """Rotates the hue of HSV.

    Args:
        colors: Red, green and blue, float32 in 0..1, each of shape `(B, pixels)`.
        turns: float32 `(B, 1)`, where 1 is the full circle.

    Returns:
        List of red, green and blue.
    """
    red, green, blue = colors
    value = ops.maximum(ops.maximum(red, green), blue)
    minimum = ops.minimum(ops.minimum(red, green), blue)
    chroma = value - minimum
    scale = 1.0 / ops.maximum(chroma, 1e-12)  # the hue of gray pixels has no effect
    hue = ops.where(
        value == red,
        (green - blue) * scale,
        ops.where(value == green, (blue - red) * scale + 2.0, (red - green) * scale + 4.0),
    )
    hue += 6.0 * turns  # in sixths of the circle
    hue -= 6.0 * ops.floor(hue / 6.0)
    shares = (ops.abs(hue - 3.0) - 1.0, 2.0 - ops.abs(hue - 2.0), 2.0 - ops.abs(hue - 4.0))
    return [minimum + chroma * ops.clip(share, 0.0, 1.0) for share in shares]


def _jitter(images, order, amounts, names, hue_step):
    """Applies the changes to images `(B, H, W, C)` that all change their hue at `hue_step`.

    None if they change it at different steps.
    """
    colors, alpha = _split_channels(images)
    colors = _apply_changes(colors, order, amounts, names, hue_step)
    return _stack_channels(colors + alpha, images)


def _jitter_image(image, order, amounts, names):
    """Applies the changes to one image `(H, W, C)`, compiled."""
    channels = _compiled_changes(names)(image[None], order[None], amounts[None])
    return _compiled_stack()(channels, image[None])[0]


def _split_channels(images):
    """Returns color channels and alpha channels: lists of `(B, pixels)`."""
    batch, height, width, _ = ops.shape(images)
    channels = [ops.reshape(x, (batch, height * width)) for x in ops.unstack(images, axis=-1)]
    return channels[:3], channels[3:]


def _stack_channels(channels, images):
    """Stacks channels `(B, pixels)` to images of the shape of `images`."""
    stacked = ops.transpose(ops.stack(channels, axis=1), (0, 2, 1))
    return ops.reshape(stacked, ops.shape(images))


def _apply_changes(colors, order, amounts, names, hue_step):
    """Applies the changes to color channels, one step after the other."""
    steps = (ops.split(array, len(names), axis=1) for array in (order, amounts))
    for step, (change, amount) in enumerate(zip(*steps, strict=True)):
        if step == hue_step:
            colors = rotate_hue(colors, amount)
            continue
        is_change = {name: change == index for index, name in enumerate(names)}
        new = _blend(colors, amount, is_change.get("contrast"), is_change.get("saturation"))
        if hue_step is None and "hue" in names:
            rotated = rotate_hue(colors, amount)
            new = [ops.where(is_change["hue"], *pair) for pair in zip(rotated, new, strict=True)]
        colors = new
    return colors


@functools.cache
def _compiled_changes(names):
    """Returns `_apply_changes` as one compiled loop over pixels, shared by all views."""

    def apply_changes(images, order, amounts):
        colors, alpha = _split_channels(images)

        def branch(hue_step):
            return lambda: _apply_changes(colors, order, amounts, names, hue_step)

        if "hue" not in names:
            return branch(None)() + alpha
        hue_step = tf.argmax(tf.equal(order[0], names.index("hue")), output_type=tf.int32)
        # XLA does not split the branches of a switch among cores, which have other batches.
        return tf.switch_case(hue_step, [branch(step) for step in range(len(names))]) + alpha

    return per_image.xla_jit(apply_changes)


@functools.cache
def _compiled_stack():
    """Returns `_stack_channels`, compiled apart: fused, each output would recompute its inputs."""
    return per_image.xla_jit(_stack_channels)


def _blend(colors, factor, is_contrast, is_saturation):
    """Returns `factor * color + (1 - factor) * target`. The target of brightness is black."""
    target = 0.0
    if is_contrast is not None or is_saturation is not None:
        gray = luminance(colors)
    if is_saturation is not None:
        target += ops.where(is_saturation, 1.0 - factor, 0.0) * gray
    if is_contrast is not None:
        target += ops.where(is_contrast, 1.0 - factor, 0.0) * ops.mean(gray, 1, keepdims=True)
    return [ops.clip(factor * color + target, 0.0, 1.0) for color in colors]


def _as_amount(name, value, low, high=float("inf")):
    """Returns a number of at least 0 or a pair in `low..high`; raises for anything else."""
    if isinstance(value, (tuple, list)):
        check_interval(low, high, **{name: value})
        return tuple(value)
    check_number(0, high, **{name: value})
    return value
