"""Separable linear resampling with its own matrices for each image."""

import tensorflow as tf


def resample(images, rows, columns):
    """Multiplies the two spatial axes of each image by a matrix.

    Args:
        images: float32 `(B, H, W, C)` in 0..1.
        rows: float32 `(B, h, H)`. Each row holds weights >= 0 that sum to 1.
        columns: float32 `(B, w, W)`, with the same properties.

    Returns:
        float32 `(B, h, w, C)` in 0..1.
    """
    batch, _, width, channels = tf.unstack(tf.shape(images))
    height = tf.shape(rows)[1]
    result = tf.matmul(rows, tf.reshape(images, (batch, -1, width * channels)))
    result = tf.transpose(tf.reshape(result, (batch, height, width, channels)), (0, 2, 1, 3))
    result = tf.matmul(columns, tf.reshape(result, (batch, width, height * channels)))
    result = tf.transpose(tf.reshape(result, (batch, -1, height, channels)), (0, 2, 1, 3))
    result = tf.minimum(result, 1.0)  # the weights sum to 1 up to rounding
    result.set_shape((images.shape[0], rows.shape[1], columns.shape[1], images.shape[3]))
    return result
