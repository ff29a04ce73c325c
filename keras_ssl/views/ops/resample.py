"""Linear maps along rows and columns, with matrices of its own for each image."""

import tensorflow as tf


def resample(images, rows, columns):
    """Multiplies each image by one matrix from above and one from the side.

    Args:
        images: float32 `(B, H, W, C)` in 0..1.
        rows: float32 `(B, h, H)`, each row of weights >= 0 and summing to 1.
        columns: float32 `(B, w, W)`, likewise.

    Returns:
        float32 `(B, h, w, C)` in 0..1.
    """
    batch, _, width, channels = tf.unstack(tf.shape(images))
    height = tf.shape(rows)[1]
    tall = tf.matmul(rows, tf.reshape(images, (batch, -1, width * channels)))
    turned = tf.transpose(tf.reshape(tall, (batch, height, width, channels)), (0, 2, 1, 3))
    wide = tf.matmul(columns, tf.reshape(turned, (batch, width, height * channels)))
    wide = tf.reshape(wide, (batch, -1, height, channels))
    result = tf.minimum(tf.transpose(wide, (0, 2, 1, 3)), 1.0)  # weights sum to 1 but for rounding
    result.set_shape((images.shape[0], rows.shape[1], columns.shape[1], images.shape[3]))
    return result
