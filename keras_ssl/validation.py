"""Validation of arguments."""

import keras
import numpy as np
from keras import ops

from keras_ssl.numerics import as_float

Schedule = keras.optimizers.schedules.LearningRateSchedule
SMALLEST = 1e-30  # what is divided by: less overflows float32


def check_count(least, **counts):
    """Raises unless each value is an int of at least `least`."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"`{name}` must be an int, received {value!r}.")
        if value < least:
            raise ValueError(f"`{name}` must be at least {least}, received {value}.")


def check_positive(**numbers):
    """Raises for a number that is not finite and above 0; tensors of one number pass."""
    _check_numbers("above 0", lambda number: number >= SMALLEST, numbers)


def check_not_negative(**numbers):
    """Raises for a number that is not finite and at least 0; tensors of one number pass."""
    _check_numbers("at least 0", lambda number: number >= 0, numbers)


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


def check_threshold(threshold, rows):
    """Raises unless it is a finite number, or there is one for each of the rows `(rows, K)`."""
    if hasattr(threshold, "shape") and len(threshold.shape) == 1:
        check_shape(rows.shape[:1], threshold=as_float(threshold, "threshold"))
    else:
        _check_numbers("", lambda number: True, {"threshold": threshold})


def check_number(**values):
    """Raises TypeError for what is not a number."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"`{name}` must be a number, received {value!r}.")


def check_schedule(**values):
    """Raises TypeError for what is neither a number nor a Keras schedule."""
    for name, value in values.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number and not isinstance(value, Schedule):
            raise TypeError(
                f"`{name}` must be a number or a keras.optimizers.schedules.LearningRateSchedule, "
                f"received {value!r}."
            )


def check_momentum(**values):
    """Raises unless each value is a number in 0..1 or a Keras schedule."""
    check_schedule(**values)
    for name, value in values.items():
        if not isinstance(value, Schedule) and not 0 <= value <= 1:
            raise ValueError(f"`{name}` must lie in 0..1, received {value!r}.")


def check_share(**values):
    """Raises unless each value is a number in 0..1."""
    check_number(**values)
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"`{name}` must lie in 0..1, received {value!r}.")


def check_optional_rate(**values):
    """Raises unless each value is None, a number of at least 0, or a Keras schedule."""
    given = {name: value for name, value in values.items() if value is not None}
    check_schedule(**given)
    check_not_negative(**given)


def check_steps(**values):
    """Raises unless each value is an int of at least 0, steps, or a float in 0..1, a fraction."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(
                f"`{name}` must be an int, in steps, or a float in 0..1, a fraction of the run; "
                f"received {value!r}."
            )
        if not value >= 0 or (isinstance(value, float) and value > 1):
            raise ValueError(
                f"`{name}` must be at least 0 steps (an int), or a fraction of the run in 0..1 (a "
                f"float); received {value!r}."
            )


def check_seed(seed):
    """Raises unless `seed` is an int that fits 32 bits."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"`seed` must be an int, received {seed!r}.")
    if not -(2**31) <= seed < 2**31:
        raise ValueError(f"`seed` must fit 32 bits, received {seed}.")


def check_views(views, least):
    """Raises unless `views` is None or a sequence of at least `least` callables."""
    if views is None:
        return
    if not isinstance(views, (tuple, list)) or not all(callable(view) for view in views):
        raise TypeError(
            "`views` must be a sequence of views such as keras_ssl.views.simclr(32), one for each "
            f"output; received {views!r}."
        )
    if len(views) < least:
        needed = "two views" if least == 2 else "a view"
        raise ValueError(f"`views` needs {needed} or more, received {len(views)}.")
