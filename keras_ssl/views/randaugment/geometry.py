"""Rotation, shear and translation by the nearest pixel, with the arithmetic of PIL.

Each function returns the source of each output pixel: column and row, int32 tensors that broadcast
to `(B, H, W)`. `sample` reads the pixels there.
"""

import math

import numpy as np

from keras_ssl.views.backend import ops, take_rows

FIXED_POINT = 65536  # PIL computes source positions in 1/65536 of a pixel
FIXED_POINT_BITS = 16
MAX_DEGREES = 30


def identity(size):
    """Moves no pixel."""
    rows, columns = (ops.arange(length, dtype="int32") for length in size)
    return columns[None, None], rows[None, :, None]


def rotate(size, degrees):
    """Rotates images counterclockwise about their center.

    Args:
        size: Pair of height and width, ints or int32 scalars, as in the functions below.
        degrees: float32 `(B,)` of integers in -30..30.
    """
    columns, rows = identity(size)
    table = _rotation_table(*size)
    coefficients = take_rows(table, ops.cast(degrees, "int32") + MAX_DEGREES)
    cosine, sine, first_x, first_y = ops.unstack(coefficients[:, :, None, None], axis=1)
    x = first_x + cosine * columns + sine * rows
    y = first_y - sine * columns + cosine * rows
    return _to_pixel(x), _to_pixel(y)


def shear_x(size, fraction):
    """Moves each row to the left by `fraction` of its distance from the top.

    Args:
        size: Pair of height and width.
        fraction: float32 `(B,)`.
    """
    columns, rows = identity(size)
    return columns + _sheared(fraction, rows), rows


def shear_y(size, fraction):
    """Moves each column up by `fraction` of its distance from the left."""
    columns, rows = identity(size)
    return columns, rows + _sheared(fraction, columns)


def translate_x(size, fraction):
    """Moves images to the left by a fraction of their width, rounded toward 0 pixels."""
    columns, rows = identity(size)
    return columns + _whole_pixels(fraction, size[1]), rows


def translate_y(size, fraction):
    """Moves images up by a fraction of their height, rounded toward 0 pixels."""
    columns, rows = identity(size)
    return columns, rows + _whole_pixels(fraction, size[0])


def sample(pixels, x, y):
    """Returns the pixels at source columns and rows, and black outside of the image.

    Args:
        pixels: `(B, H, W, C)`.
        x: int32, broadcasts to `(B, H, W)`.
        y: As `x`.
    """
    batch, height, width, channels = ops.shape(pixels)
    first = ops.arange(batch, dtype="int32")[:, None, None] * (height * width)
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    indices = ops.where(is_inside, y * width + x, 0) + first
    # One row per pixel of the batch, because gathering along an axis is slow on CPUs.
    sampled = take_rows(ops.reshape(pixels, (batch * height * width, channels)), indices)
    return ops.where(is_inside[..., None], sampled, 0.0)


def _rotation_table(height, width):
    """Returns the coefficients of all angles, int32 `(61, 4)`, in fixed point.

    These are the cosine, the sine, and the source column and row of the first pixel. They are
    computed in float64 as in PIL: half pixels are common, and they decide which pixel is nearest.
    """
    if not isinstance(height, int):
        height, width = ops.cast(height, "float64"), ops.cast(width, "float64")
    angle = -np.arange(-MAX_DEGREES, MAX_DEGREES + 1) * (math.pi / 180)
    cosine, sine = np.cos(angle), np.sin(angle)
    x = width / 2 - cosine * width / 2 - sine * height / 2
    y = height / 2 + sine * width / 2 - cosine * height / 2
    first_x, first_y = x + 0.5 * cosine + 0.5 * sine, y - 0.5 * sine + 0.5 * cosine
    numbers = (cosine, sine, first_x, first_y)
    fixed = [ops.cast((number * FIXED_POINT + 0.5) // 1, "int32") for number in numbers]
    return ops.stack(fixed, axis=1)


def _sheared(fraction, distance):
    """Returns by how many pixels a row or column at a distance moves: int32."""
    fraction = fraction[:, None, None]
    # Of the center of a pixel, whose distance is half a pixel more.
    first, step = _to_fixed_point(0.5 + 0.5 * fraction), _to_fixed_point(fraction)
    return _to_pixel(first + step * distance)


def _to_fixed_point(number):
    return ops.cast(ops.floor(number * float(FIXED_POINT) + 0.5), "int32")


def _to_pixel(position):
    """Returns the pixel at a position in fixed point, rounded down."""
    return ops.right_shift(position, FIXED_POINT_BITS)


def _whole_pixels(fraction, length):
    """Returns a fraction of a side in whole pixels, rounded toward 0: int32 `(B, 1, 1)`."""
    pixels = fraction[:, None, None] * ops.cast(length, "float32")
    # The tolerance is for products such as 0.29 * 100, which is below 29.
    return ops.cast(ops.sign(pixels) * ops.floor(ops.abs(pixels) + 1e-3), "int32")
