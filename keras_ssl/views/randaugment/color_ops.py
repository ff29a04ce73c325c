"""Color operations with the rounding of PIL: integers in 0..255 to integers.

Each takes float32 images `(B, H, W, C)` of one or three channels and, if it has a strength, one
strength for each image: `(B,)`. Compilers may replace a division by the product with a reciprocal
and fuse products with sums. No result changes with that, because no quotient or product that is
rounded down is close to an integer, or because all numbers are exact.
"""

from keras_ssl.views.backend import ops, selects_images, take_rows

# Weights of red, green and blue in 1/65536: ITU-R 601-2 luma, as PIL rounds it.
LUMA = (19595.0, 38470.0, 7471.0)


def autocontrast(pixels):
    """Stretches each channel of each image to 0..255."""
    # Keras raises for an empty batch without an initial value.
    low = ops.min(pixels, axis=(1, 2), keepdims=True, initial=255.0)
    high = ops.max(pixels, axis=(1, 2), keepdims=True, initial=0.0)
    # A half does not change the floor of a quotient of integers, and moves it off an integer.
    stretched = ops.floor(((pixels - low) * 255.0 + 0.5) / ops.maximum(high - low, 1.0))
    return ops.where(high > low, stretched, pixels)


def equalize(pixels):
    """Equalizes the histogram of each channel of each image."""
    batch, height, width, channels = ops.shape(pixels)
    num_tables = batch * channels
    # Count all channels at once: channel i of the batch uses the bins from 256 i.
    first_bin = ops.reshape(ops.arange(num_tables, dtype="int32"), (batch, 1, 1, channels)) * 256
    bins = ops.reshape(ops.cast(pixels, "int32") + first_bin, (-1,))
    counts = ops.segment_sum(ops.ones_like(bins), bins, num_tables * 256)
    counts = ops.reshape(counts, (num_tables, 256))
    values = ops.arange(256, dtype="int32")
    highest = ops.max(ops.where(counts > 0, values, 0), axis=1, keepdims=True, initial=0)
    num_highest = ops.sum(ops.where(values == highest, counts, 0), axis=1, keepdims=True)
    step = (height * width - num_highest) // 255
    below = ops.cumsum(counts, axis=1) - counts
    equalized = ops.minimum((step // 2 + below) // ops.maximum(step, 1), 255)
    table = ops.cast(ops.where(step > 0, equalized, values), pixels.dtype)
    return ops.reshape(take_rows(ops.reshape(table, (-1,)), bins), ops.shape(pixels))


def brightness(pixels, factor):
    """Blends the image with black."""
    return _blend(ops.zeros_like(pixels), pixels, factor)


def color(pixels, factor):
    """Blends the image with its grayscale version."""
    return pixels if pixels.shape[-1] == 1 else _blend(_to_gray(pixels), pixels, factor)


def contrast(pixels, factor):
    """Blends the image with its mean gray."""
    height, width = ops.shape(pixels)[1:3]
    count = height * width
    gray = ops.cast(_to_gray(pixels), "int32")
    total = ops.sum(gray, axis=(1, 2), keepdims=True)
    mean = (2 * total + count) // (2 * count)  # rounded
    return _blend(ops.cast(mean, pixels.dtype), pixels, factor)


def sharpness(pixels, factor):
    """Blends the image with a smoothed version, whose border is not smoothed."""
    padded = ops.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    sums = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    smooth = ops.floor((sums + 4.0 * pixels) / 13.0 + 0.5)  # 13 is odd: there are no ties
    in_rows, in_columns = (_is_inside(length) for length in ops.shape(pixels)[1:3])
    smooth = ops.where(in_rows[:, None, None] & in_columns[:, None], smooth, pixels)
    return _blend(smooth, pixels, factor)


def posterize(pixels, bits):
    """Keeps the upper bits, float32 `(B,)` of integers in 1..8."""
    step = ops.left_shift(ops.ones_like(ops.cast(bits, "int32")), 8 - ops.cast(bits, "int32"))
    step = _per_image(ops.cast(step, pixels.dtype))
    return ops.floor(pixels / step) * step


def solarize(pixels, threshold):
    """Inverts values from the threshold, `(B,)`, upwards."""
    return ops.where(pixels < _per_image(threshold), pixels, 255.0 - pixels)


def _is_inside(length):
    """Returns which positions along one axis are not at its ends."""
    positions = ops.arange(length, dtype="int32")
    return (positions > 0) & (positions < length - 1)


def _to_gray(pixels):
    if pixels.shape[-1] == 1:
        return pixels
    red, green, blue = ops.unstack(pixels, axis=-1)
    # float32 is exact for integers up to 2**24.
    weighted = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return ops.floor((weighted + 32768.0) / 65536.0)[..., None]


def _blend(other, pixels, factor):
    """Returns `factor * pixels + (1 - factor) * other`, rounded down."""
    factor, difference = _per_image(factor), pixels - other
    if selects_images():
        return ops.floor(other + factor * difference)
    # A compiler of devices rounds a product and a sum once, not twice. The product of an integer
    # and either part of the factor is exact, so that only sums are rounded.
    upper = ops.floor(factor * 4096.0) / 4096.0
    return ops.floor(other + (upper * difference + (factor - upper) * difference))


def _per_image(values):
    """Returns values of images, `(B,)`, with the axes of their pixels."""
    return ops.reshape(values, (-1, 1, 1, 1))
