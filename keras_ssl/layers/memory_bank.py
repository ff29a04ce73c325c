"""Memory banks: queues of past features, stored in one weight with the newest rows first."""

import numpy as np
from keras import ops

from keras_ssl._types import Tensor


def random_unit_vectors(size: int, width: int, seed: int) -> np.ndarray:
    """Draws rows of length 1 in random directions, the initial value of a memory bank.

    Args:
        size: Int >= 1, number of rows.
        width: Int >= 1, width of each row.
        seed: Int, which determines the rows.

    Returns:
        Float64 array `(size, width)`.

    Example:

        keras_ssl.layers.random_unit_vectors(1024, 128, seed=0).shape  # (1024, 128)
    """
    rows = np.random.default_rng(seed % 2**32).normal(size=(size, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def enqueue(queue: Tensor, rows: Tensor) -> Tensor:
    """Returns the queue with rows added at the front and as many removed from the end.

    Args:
        queue: `(size, width)`, a weight or a tensor.
        rows: `(B, width)`. If there are more rows than the queue holds, the first are kept.

    Returns:
        Tensor `(size, width)` of the queue's dtype, without gradient.

    Example:

        queue = keras_ssl.layers.random_unit_vectors(1024, 128, seed=0)
        projections = keras_ssl.layers.random_unit_vectors(32, 128, seed=1)
        queue = keras_ssl.layers.enqueue(queue, projections)
        queue.shape  # (1024, 128)
    """
    rows = ops.cast(ops.stop_gradient(rows), queue.dtype)
    return ops.concatenate([rows, ops.convert_to_tensor(queue)], axis=0)[: queue.shape[0]]


def nearest_neighbor(queue: Tensor, rows: Tensor) -> Tensor:
    """Returns, for each row, the row of the queue with the largest dot product.

    Args:
        queue: `(size, width)`, rows of length 1.
        rows: `(B, width)`.

    Returns:
        Tensor `(B, width)` of the queue's dtype, without gradient.

    Example:

        queue = keras_ssl.layers.random_unit_vectors(1024, 128, seed=0)
        projections = keras_ssl.layers.random_unit_vectors(32, 128, seed=1)
        keras_ssl.layers.nearest_neighbor(queue, projections).shape  # (32, 128)
    """
    queue = ops.convert_to_tensor(queue)
    rows = ops.cast(ops.stop_gradient(rows), queue.dtype)
    return ops.take(queue, ops.argmax(ops.matmul(rows, ops.transpose(queue)), axis=1), axis=0)
