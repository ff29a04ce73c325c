"""Validation of arguments.

Checks take values as keyword arguments, `check_int(1, batch_size=batch_size)`, and raise an error
that names the argument, the value received and the values accepted: `TypeError` for a value of the
wrong kind, `ValueError` for a value out of range.
"""

import math
import numbers
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeGuard

import keras
import numpy as np
from keras import ops

from keras_ssl._types import Schedule, Tensor, Views
from keras_ssl.numerics import as_float

MIN_POSITIVE = 1e-30  # dividing by a smaller number overflows float32


def is_number(value: Any) -> bool:
    """Returns whether a value is a Python or NumPy number. Bools are not numbers."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def is_schedule(value: Any) -> TypeGuard[Schedule]:
    """Returns whether a value is a Keras schedule."""
    return isinstance(value, keras.optimizers.schedules.LearningRateSchedule)


def check_int(low: float, /, **values: Any) -> None:
    """Raises unless each value is an int of at least `low`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError(f"`{name}` must be an int, received {value!r}.")
        if value < low:
            raise ValueError(f"`{name}` must be at least {low}, received {value}.")


def check_number(low: float = -math.inf, high: float = math.inf, /, **values: Any) -> None:
    """Raises unless each value is a finite number in `low..high`."""
    for name, value in values.items():
        if not is_number(value):
            raise TypeError(f"`{name}` must be a number, received {value!r}.")
        if not math.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number, received {value!r}.")
        if not low <= value <= high:
            accepted = f"at least {low}" if high == math.inf else f"in {low}..{high}"
            raise ValueError(f"`{name}` must be {accepted}, received {value!r}.")


def check_fraction(**values: Any) -> None:
    """Raises unless each value is a number in 0..1."""
    check_number(0, 1, **values)


def check_bool(**values: Any) -> None:
    """Raises unless each value is a Python or NumPy bool."""
    for name, value in values.items():
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"`{name}` must be a bool, received {value!r}.")


def check_choice(choices: Collection[str], /, **values: Any) -> None:
    """Raises `ValueError` unless each value is one of the strings in `choices`."""
    for name, value in values.items():
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"`{name}` must be one of {tuple(choices)}, received {value!r}.")


def check_positive(**values: Any) -> None:
    """Raises unless each value is a finite number above 0, a scalar tensor or a Keras schedule.

    The numbers in tensors and schedules are not checked: they may change at each step.
    """
    _check_scalars(" above 0", lambda value: value >= MIN_POSITIVE, values)


def check_non_negative(**values: Any) -> None:
    """Raises unless each value is a finite number >= 0, a scalar tensor or a Keras schedule.

    The numbers in tensors and schedules are not checked: they may change at each step.
    """
    _check_scalars(", at least 0", lambda value: value >= 0, values)


def _check_scalars(accepted: str, is_accepted: Callable, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if is_schedule(value):
            continue
        is_known = isinstance(value, (int, float, np.number, np.ndarray))
        is_tensor = ops.is_tensor(value) or isinstance(value, keras.Variable)
        if isinstance(value, bool) or not (is_known or is_tensor):
            raise TypeError(f"`{name}` must be a number{accepted}, received {value!r}.")
        if tuple(np.shape(value) if is_known else value.shape) != ():
            raise ValueError(f"`{name}` must be one number{accepted}, received {value!r}.")
        if is_known and not (np.isfinite(value) and is_accepted(value)):
            raise ValueError(f"`{name}` must be a finite number{accepted}, received {value!r}.")


def check_schedule(**values: Any) -> None:
    """Raises `TypeError` unless each value is a number or a Keras schedule."""
    for name, value in values.items():
        is_plain_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_plain_number and not is_schedule(value):
            raise TypeError(
                f"`{name}` must be a number or a keras.optimizers.schedules.LearningRateSchedule, "
                f"received {value!r}."
            )


def check_positive_number(**values: Any) -> None:
    """Raises unless each value is a finite number above 0."""
    check_number(**values)
    check_positive(**values)


def check_positive_schedule(**values: Any) -> None:
    """Raises unless each value is a number above 0 or a Keras schedule."""
    check_schedule(**values)
    check_positive(**values)


def check_momentum(**values: Any) -> None:
    """Raises unless each value is a number in 0..1 or a Keras schedule."""
    check_schedule(**values)
    for name, value in values.items():
        if not is_schedule(value) and not 0 <= value <= 1:
            raise ValueError(f"`{name}` must be in 0..1, received {value!r}.")


def check_optional_schedule(**values: Any) -> None:
    """Raises unless each value is None, a number of at least 0, or a Keras schedule."""
    values = {name: value for name, value in values.items() if value is not None}
    check_schedule(**values)
    check_non_negative(**values)


def check_steps(**values: Any) -> None:
    """Raises unless each value is a number of steps, an int >= 0, or a fraction, a float in 0..1.

    A fraction is relative to the number of steps of the run.
    """
    accepted = "an int >= 0 (steps) or a float in 0..1 (a fraction of the run)"
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"`{name}` must be {accepted}, received {value!r}.")
        if not value >= 0 or (isinstance(value, float) and value > 1):
            raise ValueError(f"`{name}` must be {accepted}, received {value!r}.")


def check_seed(seed: Any) -> None:
    """Raises unless `seed` is an int that fits into 32 bits."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"`seed` must be an int, received {seed!r}.")
    if not -(2**31) <= seed < 2**31:
        raise ValueError(f"`seed` must fit into 32 bits, received {seed}.")


def check_interval(
    low: float, high: float = math.inf, /, *, exclusive: bool = False, **values: Any
) -> None:
    """Raises unless each value is a pair `(smallest, largest)` within `low..high`.

    Args:
        low: Float, the lower limit.
        high: Float, the upper limit.
        exclusive: Bool, whether `low` itself is rejected.
        **values: The pairs, by name.
    """
    for name, value in values.items():
        is_pair = isinstance(value, (tuple, list)) and len(value) == 2
        if not is_pair or not all(map(is_number, value)):
            raise TypeError(f"`{name}` must be a pair (smallest, largest), received {value!r}.")
        smallest, largest = value
        is_ordered = low <= smallest <= largest <= high and largest < math.inf
        if not is_ordered or (exclusive and smallest == low):
            limits = f"{'above' if exclusive else 'from'} {low}"
            limits += "" if high == math.inf else f" to {high}"
            raise ValueError(
                f"`{name}` must be a pair (smallest, largest) of numbers {limits}, in this order, "
                f"received {value!r}."
            )


def as_size(value: int | Sequence[int], name: str = "size") -> tuple[int, int]:
    """Returns an image size as `(height, width)`.

    Args:
        value: Int > 0, or a pair `(height, width)` of them.
        name: String, the name of the argument in error messages.

    Raises:
        ValueError: If `value` is anything else.
    """
    pair = (value, value) if isinstance(value, int) else value
    is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
    if not is_pair or not all(type(side) is int and side > 0 for side in pair):
        raise ValueError(
            f"`{name}` must be an int above 0 or a pair (height, width) of such ints, received "
            f"{value!r}."
        )
    height, width = pair
    return height, width


def check_view_sequence(views: Views | None, min_views: int) -> None:
    """Raises unless `views` is None or a sequence of at least `min_views` callables."""
    if views is None:
        return
    if not isinstance(views, (tuple, list)) or not all(callable(view) for view in views):
        raise TypeError(
            "`views` must be a sequence of views, one for each output, such as "
            f"keras_ssl.views.simclr(32); received {views!r}."
        )
    if len(views) < min_views:
        raise ValueError(
            f"`views` must have a length of at least {min_views}, received {len(views)}."
        )


def check_matrix(**tensors: Tensor) -> None:
    """Raises `ValueError` unless each tensor has shape `(batch, dim)` and is not empty."""
    for name, tensor in tensors.items():
        if len(tensor.shape) != 2:
            raise ValueError(
                f"`{name}` must have shape (batch, dim), received {tuple(tensor.shape)}."
            )
    check_not_empty(**tensors)


def check_same_shape(**tensors: Tensor) -> None:
    """Raises `ValueError` unless all tensors have one shape `(batch, dim)` and are not empty."""
    check_matrix(**tensors)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for sizes in zip(*shapes.values(), strict=True):
        if len({size for size in sizes if size is not None}) > 1:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"The tensors must have one shape (batch, dim), received {listed}.")


def check_not_empty(**tensors: Tensor) -> None:
    """Raises `ValueError` if a tensor has no elements."""
    for name, tensor in tensors.items():
        if 0 in tuple(tensor.shape):
            raise ValueError(f"`{name}` is empty: it has shape {tuple(tensor.shape)}.")


def check_shape(shape: Sequence[int | None], **tensors: Tensor) -> None:
    """Raises `ValueError` unless each tensor has the given shape; None stands for any size."""
    expected = tuple(shape)
    for name, tensor in tensors.items():
        received = tuple(tensor.shape)
        if len(received) != len(expected) or any(
            None not in sizes and sizes[0] != sizes[1]
            for sizes in zip(received, expected, strict=True)
        ):
            raise ValueError(f"`{name}` must have shape {expected}, received {received}.")


def check_threshold(threshold: Any, logits: Tensor) -> None:
    """Raises unless `threshold` is a finite number, or a tensor with one for each row of logits.

    Args:
        threshold: The value to check.
        logits: Tensor `(N, K)`.
    """
    if hasattr(threshold, "shape") and len(threshold.shape) == 1:
        check_shape(logits.shape[:1], threshold=as_float(threshold, "threshold"))
    else:
        _check_scalars("", lambda value: True, {"threshold": threshold})
