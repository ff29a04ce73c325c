"""A queue of past rows, kept in one weight: the newest row comes first."""

import numpy as np
from keras import ops


def random_unit_vectors(size, width, seed):
    """Rows of length 1 in random directions, to start with: float array `(size, width)`."""
    rows = np.random.default_rng(seed % 2**32).normal(size=(size, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def enqueue(queue, rows):
    """Returns the queue with rows put in at the front, and as many let go at the end.

    Args:
        queue: `(size, width)`, a weight or a tensor.
        rows: `(B, width)`; of more rows than fit the first stay.

    Returns:
        Tensor `(size, width)` of the queue's dtype.
    """
    rows = ops.cast(ops.stop_gradient(rows), queue.dtype)
    return ops.concatenate([rows, ops.convert_to_tensor(queue)], axis=0)[: queue.shape[0]]


def nearest_neighbor(queue, rows):
    """Returns, for each row, the row of the queue with the largest dot product.

    Args:
        queue: `(size, width)`, rows of length 1.
        rows: `(B, width)`.

    Returns:
        Tensor `(B, width)` of the queue's dtype, without gradient.
    """
    queue = ops.convert_to_tensor(queue)
    rows = ops.cast(ops.stop_gradient(rows), queue.dtype)
    return ops.take(queue, ops.argmax(ops.matmul(rows, ops.transpose(queue)), axis=1), axis=0)
