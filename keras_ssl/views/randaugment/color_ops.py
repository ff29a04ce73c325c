"""Changes of tone and color as PIL makes them: whole numbers in 0..255 to whole numbers.

Each takes `(B, H, W, C)` of one or three channels, and where it has a strength one for each image.
"""

import tensorflow as tf

GRAY = (19595.0, 38470.0, 7471.0)  # of 65536: ITU-R 601-2, as PIL rounds it


def autocontrast(pixels):
    """Stretches each channel of each image to 0..255."""
    low = tf.reduce_min(pixels, axis=(1, 2), keepdims=True)
    high = tf.reduce_max(pixels, axis=(1, 2), keepdims=True)
    # Whole numbers below 65536, so that the quotient's whole part is exact.
    stretched = (pixels - low) * 255.0 // tf.maximum(high - low, 1.0)
    return tf.where(high > low, stretched, pixels)


def equalize(pixels):
    """Spreads the values of each channel of each image evenly over 0..255."""
    batch, height, width, channels = tf.unstack(tf.shape(pixels))
    values = tf.cast(pixels, tf.int32)
    which = tf.reshape(tf.range(batch * channels), (batch, 1, 1, channels)) * 256
    of_channel = tf.reshape(values + which, (-1,))  # its place in one long table
    tables = batch * channels
    counts = tf.math.bincount(of_channel, minlength=tables * 256, maxlength=tables * 256)
    counts = tf.reshape(counts, (tables, 256))
    highest = tf.reduce_max(tf.where(counts > 0, tf.range(256), 0), axis=1, keepdims=True)
    step = (height * width - tf.gather(counts, highest, batch_dims=1)) // 255
    below = tf.cumsum(counts, axis=1, exclusive=True)
    spread = tf.minimum((step // 2 + below) // tf.maximum(step, 1), 255)
    table = tf.where(step > 0, spread, tf.range(256))
    found = tf.gather(tf.reshape(table, (-1,)), of_channel)
    return tf.cast(tf.reshape(found, tf.shape(pixels)), pixels.dtype)


def brightness(pixels, share):
    """Keeps a share of the image and fills up with black."""
    return _blend(tf.zeros_like(pixels), pixels, share)


def color(pixels, share):
    """Keeps a share of the image and fills up with its gray picture."""
    return pixels if pixels.shape[-1] == 1 else _blend(_gray(pixels), pixels, share)


def contrast(pixels, share):
    """Keeps a share of the image and fills up with its mean gray."""
    middle = tf.floor(tf.reduce_mean(_gray(pixels), axis=(1, 2), keepdims=True) + 0.5)
    return _blend(middle, pixels, share)


def sharpness(pixels, share):
    """Keeps a share of the image and fills up with a blurred copy, whose border is not blurred."""
    padded = tf.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    around = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    soft = tf.floor((around + 4.0 * pixels) / 13.0 + 0.5)
    inside = [_inside(side) for side in tf.unstack(tf.shape(pixels)[1:3])]
    soft = tf.where(inside[0][:, None, None] & inside[1][:, None], soft, pixels)
    return _blend(soft, pixels, share)


def posterize(pixels, bits):
    """Keeps the upper bits, a float `(B,)` of whole numbers in 1..8."""
    step = tf.reshape(2.0 ** (8.0 - bits), (-1, 1, 1, 1))
    return pixels - pixels % step


def solarize(pixels, threshold):
    """Inverts what is at least the threshold, `(B,)`."""
    return tf.where(pixels < tf.reshape(threshold, (-1, 1, 1, 1)), pixels, 255.0 - pixels)


def _inside(side):
    """Which places along a side are not its ends."""
    place = tf.range(side)
    return (place > 0) & (place < side - 1)


def _gray(pixels):
    if pixels.shape[-1] == 1:
        return pixels
    red, green, blue = tf.unstack(pixels, axis=-1)
    # Whole numbers up to 2**24, which float32 holds exactly.
    return ((GRAY[0] * red + GRAY[1] * green + GRAY[2] * blue + 32768.0) // 65536.0)[..., None]


def _blend(other, pixels, share):
    """`share` of the image and the rest of another, cut to whole numbers."""
    return tf.floor(other + tf.reshape(share, (-1, 1, 1, 1)) * (pixels - other))
