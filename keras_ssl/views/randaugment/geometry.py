"""Turning, slanting and moving images, by the nearest pixel, as PIL finds it."""

import math

import tensorflow as tf

ONE = 65536.0  # PIL walks through the source in steps of 1/65536 pixel


def rotate(pixels, degrees):
    """Turns images about their middle, counter-clockwise; black where nothing is.

    Args:
        pixels: `(B, H, W, C)`.
        degrees: float32 `(B,)`.
    """
    # In double precision, as PIL: half pixels, which decide which pixel is nearest, are common.
    angle = -tf.cast(degrees, tf.float64) * (math.pi / 180)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    height, width = _sides(pixels)
    x = width / 2 - cosine * width / 2 - sine * height / 2
    y = height / 2 + sine * width / 2 - cosine * height / 2
    return _affine(pixels, (cosine, sine, x), (-sine, cosine, y))


def shear_x(pixels, share):
    """Moves each row by `share` of its distance from the top, to the left.

    Args:
        pixels: `(B, H, W, C)`.
        share: float64 `(B,)`, as in the functions below.
    """
    return _affine(pixels, (1.0, share, 0.0), (0.0, 1.0, 0.0))


def shear_y(pixels, share):
    """Moves each column by `share` of its distance from the left, upwards."""
    return _affine(pixels, (1.0, 0.0, 0.0), (share, 1.0, 0.0))


def translate_x(pixels, share):
    """Moves images to the left by a share of their width, in whole pixels towards 0."""
    return _affine(pixels, (1.0, 0.0, _whole(share, _sides(pixels)[1])), (0.0, 1.0, 0.0))


def translate_y(pixels, share):
    """Moves images upwards by a share of their height, in whole pixels towards 0."""
    return _affine(pixels, (1.0, 0.0, 0.0), (0.0, 1.0, _whole(share, _sides(pixels)[0])))


def _affine(pixels, to_x, to_y):
    """Takes the pixel at `(x, y)` from the place that two linear maps name in the source.

    Args:
        pixels: `(B, H, W, C)`.
        to_x: Three numbers or `(B,)`: the source's column is `a x + b y + c`.
        to_y: Likewise, of its row.
    """
    batch, height, width, channels = tf.unstack(tf.shape(pixels))
    columns, rows = tf.range(width)[None, None], tf.range(height)[None, :, None]

    def source(a, b, c):
        a, b, c = (tf.reshape(tf.cast(value, tf.float64), (-1, 1, 1)) for value in (a, b, c))
        start = _fixed(c + 0.5 * a + 0.5 * b)  # of the middle of the first pixel
        return (start + _fixed(a) * columns + _fixed(b) * rows) // int(ONE)

    x, y = source(*to_x), source(*to_y)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    place = tf.where(inside, y * width + x, 0)
    place = tf.broadcast_to(place, (batch, height, width))
    flat = tf.reshape(pixels, (batch, height * width, channels))
    found = tf.gather(flat, tf.reshape(place, (batch, height * width)), batch_dims=1)
    found = tf.reshape(found, tf.shape(pixels))
    return tf.where(inside[..., None], found, tf.zeros((), pixels.dtype))


def _fixed(number):
    return tf.cast(tf.floor(number * ONE + 0.5), tf.int32)


def _whole(share, side):
    """Whole pixels of a share of a side; a hair above, as 0.29 times 100 is below 29."""
    pixels = share * side
    return tf.sign(pixels) * tf.floor(tf.abs(pixels) + 1e-6)


def _sides(pixels):
    """Height and width as doubles."""
    return tf.unstack(tf.cast(tf.shape(pixels)[1:3], tf.float64))
