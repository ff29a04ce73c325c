"""Color operations with the rounding of PIL: integers in 0..255 to integers.

Each takes float32 images `(B, H, W, C)` of one or three channels and, if it has a strength, one
strength for each image: `(B,)`.
"""

from keras_ssl import _tensorflow as tf

# Weights of red, green and blue in 1/65536: ITU-R 601-2 luma, as PIL rounds it.
LUMA = (19595.0, 38470.0, 7471.0)


def autocontrast(pixels):
    """Stretches each channel of each image to 0..255."""
    low = tf.reduce_min(pixels, axis=(1, 2), keepdims=True)
    high = tf.reduce_max(pixels, axis=(1, 2), keepdims=True)
    # The floor of the quotient is exact, because the integers are below 65536.
    stretched = (pixels - low) * 255.0 // tf.maximum(high - low, 1.0)
    return tf.where(high > low, stretched, pixels)


def equalize(pixels):
    """Equalizes the histogram of each channel of each image."""
    batch, height, width, channels = tf.unstack(tf.shape(pixels))
    num_tables = batch * channels
    # Count all channels at once: channel i of the batch uses the bins from 256 i.
    first_bin = tf.reshape(tf.range(num_tables), (batch, 1, 1, channels)) * 256
    bins = tf.reshape(tf.cast(pixels, tf.int32) + first_bin, (-1,))
    counts = tf.math.bincount(bins, minlength=num_tables * 256, maxlength=num_tables * 256)
    counts = tf.reshape(counts, (num_tables, 256))
    highest = tf.reduce_max(tf.where(counts > 0, tf.range(256), 0), axis=1, keepdims=True)
    step = (height * width - tf.gather(counts, highest, batch_dims=1)) // 255
    below = tf.cumsum(counts, axis=1, exclusive=True)
    equalized = tf.minimum((step // 2 + below) // tf.maximum(step, 1), 255)
    table = tf.where(step > 0, equalized, tf.range(256))
    values = tf.gather(tf.reshape(table, (-1,)), bins)
    return tf.cast(tf.reshape(values, tf.shape(pixels)), pixels.dtype)


def brightness(pixels, factor):
    """Blends the image with black."""
    return _blend(tf.zeros_like(pixels), pixels, factor)


def color(pixels, factor):
    """Blends the image with its grayscale version."""
    return pixels if pixels.shape[-1] == 1 else _blend(_to_gray(pixels), pixels, factor)


def contrast(pixels, factor):
    """Blends the image with its mean gray."""
    mean = tf.floor(tf.reduce_mean(_to_gray(pixels), axis=(1, 2), keepdims=True) + 0.5)
    return _blend(mean, pixels, factor)


def sharpness(pixels, factor):
    """Blends the image with a smoothed version, whose border is not smoothed."""
    padded = tf.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    sums = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    smooth = tf.floor((sums + 4.0 * pixels) / 13.0 + 0.5)
    in_rows, in_columns = (_is_inside(length) for length in tf.unstack(tf.shape(pixels)[1:3]))
    smooth = tf.where(in_rows[:, None, None] & in_columns[:, None], smooth, pixels)
    return _blend(smooth, pixels, factor)


def posterize(pixels, bits):
    """Keeps the upper bits, float32 `(B,)` of integers in 1..8."""
    step = tf.reshape(2.0 ** (8.0 - bits), (-1, 1, 1, 1))
    return pixels - pixels % step


def solarize(pixels, threshold):
    """Inverts values from the threshold, `(B,)`, upwards."""
    return tf.where(pixels < tf.reshape(threshold, (-1, 1, 1, 1)), pixels, 255.0 - pixels)


def _is_inside(length):
    """Returns which positions along one axis are not at its ends."""
    positions = tf.range(length)
    return (positions > 0) & (positions < length - 1)


def _to_gray(pixels):
    if pixels.shape[-1] == 1:
        return pixels
    red, green, blue = tf.unstack(pixels, axis=-1)
    # float32 is exact for integers up to 2**24.
    return ((LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue + 32768.0) // 65536.0)[..., None]


def _blend(other, pixels, factor):
    """Returns `factor * pixels + (1 - factor) * other`, rounded down."""
    return tf.floor(other + tf.reshape(factor, (-1, 1, 1, 1)) * (pixels - other))
