"""Numerical functions that agree on every backend and precision."""

import keras
import numpy as np
from keras import ops


def as_float(x, name="x"):
    """Returns `x` in float32; float64 stays float64.

    Losses take exponentials and sums over the batch, which overflow in float16 and lose the
    answer in bfloat16.

    Raises:
        TypeError: If it is no tensor of numbers; `name` is the argument's.
    """
    try:
        tensor = ops.convert_to_tensor(x)
        kind = keras.backend.standardize_dtype(tensor.dtype)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must be a tensor of numbers, received {x!r}.") from error
    if not kind.startswith(("float", "bfloat", "int", "uint", "bool")):
        raise TypeError(f"`{name}` must be a tensor of numbers, received dtype {kind}.")
    return tensor if kind == "float64" else ops.cast(tensor, "float32")


def mean(x, axis=None):
    """Mean in the precision of `x`, where `keras.ops.mean` falls to float32 on JAX."""
    count = ops.size(x) if axis is None else ops.shape(x)[axis]
    return ops.sum(x, axis=axis) / ops.cast(count, x.dtype)


def l2_normalize(x):
    """Scales each row, along the last axis, to length 1; zeros stay, with a finite gradient.

    The gradient of `keras.ops.normalize` is NaN there.
    """
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squared, 1e-24))


def normalize_rows(rows):
    """NumPy: scales each row of `(N, D)` to length 1; zero rows stay zero."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def one_hot(indices, like):
    """One-hot rows of class numbers `(rows,)`, as wide and as precise as `like` `(rows, K)`."""
    # keras.ops.one_hot falls to float32 on JAX.
    classes = ops.arange(like.shape[-1], dtype="int32")
    return ops.cast(ops.cast(indices, "int32")[:, None] == classes, like.dtype)


def cross_entropy(logits, targets):
    """Mean over rows of `-sum(targets * log_softmax(logits))`, both `(rows, classes)`."""
    return mean(-ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1))
