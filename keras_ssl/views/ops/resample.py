"""Separable linear resampling with its own matrices for each image."""

from keras_ssl.views.backend import matmul, ops


def resample(images, rows, columns):
    """Multiplies the two spatial axes of each image by a matrix.

    Args:
        images: float32 `(B, H, W, C)` in 0..1.
        rows: float32 `(B, h, H)`. Each row holds weights >= 0 that sum to 1.
        columns: float32 `(B, w, W)`, with the same properties.

    Returns:
        float32 `(B, h, w, C)` in 0..1.
    """
    batch, in_height, in_width, channels = ops.shape(images)
    height, width = ops.shape(rows)[1], ops.shape(columns)[1]
    result = matmul(rows, ops.reshape(images, (batch, in_height, in_width * channels)))
    result = ops.transpose(ops.reshape(result, (batch, height, in_width, channels)), (0, 2, 1, 3))
    result = matmul(columns, ops.reshape(result, (batch, in_width, height * channels)))
    result = ops.transpose(ops.reshape(result, (batch, width, height, channels)), (0, 2, 1, 3))
    return ops.minimum(result, 1.0)  # the weights sum to 1 up to rounding


def reflect(index, length):
    """Reflects indices, int32, beyond the ends of an axis back into it."""
    period = ops.cast(ops.maximum(2 * (length - 1), 1), "int32")  # int64 if floatx is float64
    index = ops.mod(index, period)
    return ops.minimum(index, period - index)
