"""What every loss asks of its arguments and does to them first."""

from keras import ops


def as_float(x):
    """Returns `x` in float32; float64 stays float64.

    Losses take exponentials and sums over the batch, which overflow in float16 and lose the
    answer in bfloat16.
    """
    x = ops.convert_to_tensor(x)
    return x if x.dtype == "float64" else ops.cast(x, "float32")


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
    """Raises ValueError unless all tensors are `(batch, dim)` of one shape."""
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


def check_positive(**numbers):
    """Raises ValueError for a Python number that is not finite and above 0; tensors pass."""
    for name, number in numbers.items():
        if isinstance(number, bool) or (
            isinstance(number, (int, float)) and not 0 < number < float("inf")
        ):
            raise ValueError(f"`{name}` must be a finite number above 0, received {number!r}.")


def check_not_negative(**numbers):
    """Raises ValueError for a Python number that is not finite and at least 0; tensors pass."""
    for name, number in numbers.items():
        if isinstance(number, bool) or (
            isinstance(number, (int, float)) and not 0 <= number < float("inf")
        ):
            raise ValueError(f"`{name}` must be a finite number, at least 0, received {number!r}.")


def check_count(least, **counts):
    """Raises unless each value is an int of at least `least`."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"`{name}` must be an int, received {value!r}.")
        if value < least:
            raise ValueError(f"`{name}` must be at least {least}, received {value}.")
