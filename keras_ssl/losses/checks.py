"""What every loss asks of its arguments and does to them first."""

import keras
import numpy as np
from keras import ops

SMALLEST = 1e-30  # what is divided by: less overflows float32


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


def normalize(x):
    """Scales each row, along the last axis, to length 1; zeros stay, with a finite gradient.

    The gradient of `keras.ops.normalize` is NaN there.
    """
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squared, 1e-24))


def one_hot(indices, like):
    """One-hot rows of class numbers `(rows,)`, as wide and as precise as `like` `(rows, K)`."""
    # keras.ops.one_hot falls to float32 on JAX.
    classes = ops.arange(like.shape[-1], dtype="int32")
    return ops.cast(ops.cast(indices, "int32")[:, None] == classes, like.dtype)


def cross_entropy(logits, targets):
    """Mean over rows of `-sum(targets * log_softmax(logits))`, both `(rows, classes)`."""
    return mean(-ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1))


def check_pairs(**tensors):
    """Raises ValueError unless all tensors are `(batch, dim)` of one shape, with a row at least."""
    static = {name: tuple(x.shape) for name, x in tensors.items()}
    for name, shape in static.items():
        if len(shape) != 2:
            raise ValueError(f"`{name}` must have shape (batch, dim), received {shape}.")
    known = [
        {shape[axis] for shape in static.values() if shape[axis] is not None} for axis in (0, 1)
    ]
    if any(len(sizes) > 1 for sizes in known):
        listed = ", ".join(f"{name} {shape}" for name, shape in static.items())
        raise ValueError(f"The tensors must have one shape (batch, dim), received {listed}.")
    check_not_empty(**tensors)


def check_not_empty(**tensors):
    """Raises ValueError for a tensor without a number in it."""
    for name, x in tensors.items():
        if 0 in tuple(x.shape):
            raise ValueError(f"`{name}` is empty: it has shape {tuple(x.shape)}.")


def check_shape(shape, **tensors):
    """Raises ValueError for a tensor that has another shape, of which None is not known."""
    for name, x in tensors.items():
        given = tuple(x.shape)
        pairs = zip(given, shape, strict=False)
        if len(given) != len(shape) or any(
            None not in pair and pair[0] != pair[1] for pair in pairs
        ):
            raise ValueError(f"`{name}` must have shape {shape}, received {given}.")


def check_positive(**numbers):
    """Raises for a number that is not finite and above 0; tensors of one number pass."""
    _check_numbers("above 0", lambda number: number >= SMALLEST, numbers)


def check_not_negative(**numbers):
    """Raises for a number that is not finite and at least 0; tensors of one number pass."""
    _check_numbers("at least 0", lambda number: number >= 0, numbers)


def check_threshold(threshold, rows):
    """Raises unless it is a finite number, or there is one for each of the rows `(rows, K)`."""
    if hasattr(threshold, "shape") and len(threshold.shape) == 1:
        check_shape(rows.shape[:1], threshold=as_float(threshold, "threshold"))
    else:
        _check_numbers("", lambda number: True, {"threshold": threshold})


def _check_numbers(wanted, is_right, numbers):
    for name, number in numbers.items():
        if isinstance(number, keras.optimizers.schedules.LearningRateSchedule):
            continue  # of models, which read it at each step
        is_number = isinstance(number, (int, float, np.number, np.ndarray))
        if not is_number and not ops.is_tensor(number) and not isinstance(number, keras.Variable):
            raise TypeError(f"`{name}` must be a number{_and(wanted)}, received {number!r}.")
        if tuple(np.shape(number) if is_number else number.shape) != ():
            raise ValueError(f"`{name}` must be one number{_and(wanted)}, received {number!r}.")
        is_bad = isinstance(number, bool) or (
            is_number and not (np.isfinite(number) and is_right(number))
        )
        if is_bad:
            raise ValueError(
                f"`{name}` must be a finite number{_and(wanted)}, received {number!r}."
            )


def _and(wanted):
    return f", {wanted}" if wanted.startswith("at") else f" {wanted}" if wanted else ""


def check_count(least, **counts):
    """Raises unless each value is an int of at least `least`."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"`{name}` must be an int, received {value!r}.")
        if value < least:
            raise ValueError(f"`{name}` must be at least {least}, received {value}.")
