"""Numerical functions that give the same result on every backend and in every precision."""

import keras
import numpy as np
from keras import ops

from keras_ssl._types import Tensor

MIN_SQUARED_NORM = 1e-24  # keeps `l2_normalize` and its gradient finite for rows of zeros


def as_float(x: Tensor, name: str = "x") -> Tensor:
    """Casts a tensor to float32. A float64 tensor stays float64.

    Losses compute exponentials and sums over the batch, which overflow in float16 and lose too many
    digits in bfloat16.

    Args:
        x: Tensor or array of floats, ints or bools, of any shape.
        name: String, the name of the argument in error messages.

    Returns:
        Tensor of the same shape, float32 or float64.

    Raises:
        TypeError: If `x` is not a tensor of numbers.
    """
    try:
        tensor = ops.convert_to_tensor(x)
        dtype = keras.backend.standardize_dtype(tensor.dtype)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must be a tensor of numbers, received {x!r}.") from error
    if not dtype.startswith(("float", "bfloat", "int", "uint", "bool")):
        raise TypeError(f"`{name}` must be a tensor of numbers, received dtype {dtype}.")
    return tensor if dtype == "float64" else ops.cast(tensor, "float32")


def mean(x: Tensor, axis: int | None = None) -> Tensor:
    """Computes the mean in the precision of `x`.

    `keras.ops.mean` computes in float32 on JAX, also for float64 input.

    Args:
        x: Float tensor.
        axis: Int, the axis to average over. None averages over all axes.

    Returns:
        Tensor of the dtype of `x`, without the axis.
    """
    count = ops.size(x) if axis is None else ops.shape(x)[axis]
    return ops.sum(x, axis=axis) / ops.cast(count, x.dtype)


def l2_normalize(x: Tensor) -> Tensor:
    """Scales each row to length 1. Rows of zeros stay zero and have a finite gradient.

    The gradient of `keras.ops.normalize` is NaN for a row of zeros.

    Args:
        x: Float tensor `(..., D)`.

    Returns:
        Tensor of the shape and dtype of `x`.
    """
    squared_norm = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squared_norm, MIN_SQUARED_NORM))


def normalize_rows(rows: np.ndarray) -> np.ndarray:
    """Scales each row of a NumPy array `(N, D)` to length 1. Rows of zeros stay zero."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def one_hot(indices: Tensor, logits: Tensor) -> Tensor:
    """Encodes class indices as one-hot rows of the width and dtype of `logits`.

    `keras.ops.one_hot` returns float32 on JAX, also when float64 is asked for.

    Args:
        indices: Int tensor `(N,)`. An index outside 0..K-1 gives a row of zeros.
        logits: Float tensor `(..., K)`. Only its last dimension and dtype are used.

    Returns:
        Tensor `(N, K)` of the dtype of `logits`.
    """
    classes = ops.arange(logits.shape[-1], dtype="int32")
    return ops.cast(ops.cast(indices, "int32")[:, None] == classes, logits.dtype)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Computes the mean over rows of `-sum(targets * log_softmax(logits))`.

    Args:
        logits: Float tensor `(N, K)`.
        targets: Float tensor `(N, K)`. Each row sums to 1.

    Returns:
        Scalar of the dtype of `logits`.
    """
    return mean(-ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1))
