"""Rotation, shear and translation by the nearest pixel, with the arithmetic of PIL."""

import math

from keras_ssl import _tensorflow as tf

FIXED_POINT = 65536.0  # PIL computes source positions in 1/65536 of a pixel


def rotate(pixels, degrees):
    """Rotates images counterclockwise about their center and fills with black.

    Args:
        pixels: `(B, H, W, C)`.
        degrees: float32 `(B,)`.
    """
    # float64 as in PIL: half pixels are common, and they decide which pixel is nearest.
    angle = -tf.cast(degrees, tf.float64) * (math.pi / 180)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    height, width = _size(pixels)
    x = width / 2 - cosine * width / 2 - sine * height / 2
    y = height / 2 + sine * width / 2 - cosine * height / 2
    return _affine(pixels, (cosine, sine, x), (-sine, cosine, y))


def shear_x(pixels, fraction):
    """Moves each row to the left by `fraction` of its distance from the top.

    Args:
        pixels: `(B, H, W, C)`.
        fraction: float64 `(B,)`, as in the functions below.
    """
    return _affine(pixels, (1.0, fraction, 0.0), (0.0, 1.0, 0.0))


def shear_y(pixels, fraction):
    """Moves each column up by `fraction` of its distance from the left."""
    return _affine(pixels, (1.0, 0.0, 0.0), (fraction, 1.0, 0.0))


def translate_x(pixels, fraction):
    """Moves images to the left by a fraction of their width, rounded toward 0 pixels."""
    offset = _whole_pixels(fraction, _size(pixels)[1])
    return _affine(pixels, (1.0, 0.0, offset), (0.0, 1.0, 0.0))


def translate_y(pixels, fraction):
    """Moves images up by a fraction of their height, rounded toward 0 pixels."""
    offset = _whole_pixels(fraction, _size(pixels)[0])
    return _affine(pixels, (1.0, 0.0, 0.0), (0.0, 1.0, offset))


def _affine(pixels, to_x, to_y):
    """Samples the nearest pixel at source positions that are affine in the output position.

    Args:
        pixels: `(B, H, W, C)`.
        to_x: Coefficients `(a, b, c)`, each a number or `(B,)`. The source column of output
            `(x, y)` is `a x + b y + c`.
        to_y: Coefficients of the source row.
    """
    batch, height, width, channels = tf.unstack(tf.shape(pixels))
    columns, rows = tf.range(width)[None, None], tf.range(height)[None, :, None]

    def source(a, b, c):
        a, b, c = (tf.reshape(tf.cast(value, tf.float64), (-1, 1, 1)) for value in (a, b, c))
        first = _to_fixed_point(c + 0.5 * a + 0.5 * b)  # of the center of the first pixel
        positions = first + _to_fixed_point(a) * columns + _to_fixed_point(b) * rows
        return positions // int(FIXED_POINT)

    x, y = source(*to_x), source(*to_y)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = tf.broadcast_to(tf.where(inside, y * width + x, 0), (batch, height, width))
    flat = tf.reshape(pixels, (batch, height * width, channels))
    sampled = tf.gather(flat, tf.reshape(index, (batch, height * width)), batch_dims=1)
    sampled = tf.reshape(sampled, tf.shape(pixels))
    return tf.where(inside[..., None], sampled, tf.zeros((), pixels.dtype))


def _to_fixed_point(number):
    return tf.cast(tf.floor(number * FIXED_POINT + 0.5), tf.int32)


def _whole_pixels(fraction, length):
    """Returns a fraction of a side in whole pixels, rounded toward 0."""
    pixels = fraction * length
    # The tolerance is for products such as 0.29 * 100, which is below 29.
    return tf.sign(pixels) * tf.floor(tf.abs(pixels) + 1e-6)


def _size(pixels):
    """Returns height and width as float64."""
    return tf.unstack(tf.cast(tf.shape(pixels)[1:3], tf.float64))
