"""Validation of arguments: each check raises an error that names the argument.

Checks take the values as keyword arguments, `check_int(1, batch_size=batch_size)`.
"""

import math
import numbers

import keras
import numpy as np
from keras import ops

from keras_ssl.numerics import as_float

Schedule = keras.optimizers.schedules.LearningRateSchedule
SMALLEST = 1e-30  # smaller divisors overflow float32


def is_number(value):
    """Returns whether a value is a finite Python or NumPy number, and not a bool."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    return is_real and math.isfinite(value)


def check_int(low, /, **values):
    """Raises unless each value is an int of at least `low`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError(f"`{name}` must be an int, received {value!r}.")
        if value < low:
            raise ValueError(f"`{name}` must be at least {low}, received {value}.")


def check_number(low=-math.inf, high=math.inf, /, **values):
    """Raises unless each value is a finite number in `low..high`."""
    for name, value in values.items():
        if not is_number(value):
            raise TypeError(f"`{name}` must be a number, received {value!r}.")
        if not low <= value <= high:
            accepted = f"at least {low}" if high == math.inf else f"in {low}..{high}"
            raise ValueError(f"`{name}` must be {accepted}, received {value!r}.")


def check_fraction(**values):
    """Raises unless each value is a number in 0..1."""
    check_number(0, 1, **values)


def check_bool(**values):
    """Raises unless each value is a bool."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise TypeError(f"`{name}` must be a bool, received {value!r}.")


def check_choice(choices, /, **values):
    """Raises unless each value is one of `choices`, which are strings."""
    for name, value in values.items():
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"`{name}` must be one of {tuple(choices)}, received {value!r}.")


def check_positive(**numbers):
    """Raises for a number that is not finite and above 0; tensors of one number pass."""
    _check_numbers("above 0", lambda number: number >= SMALLEST, numbers)


def check_non_negative(**numbers):
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


def check_optional_schedule(**values):
    """Raises unless each value is None, a number of at least 0, or a Keras schedule."""
    given = {name: value for name, value in values.items() if value is not None}
    check_schedule(**given)
    check_non_negative(**given)


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


def check_interval(low, high=math.inf, /, *, exclusive=False, **values):
    """Raises unless each value is a pair `(smallest, largest)` within `low..high`.

    Args:
        low: Number.
        high: Number.
        exclusive: Bool, whether `low` itself is rejected.
        **values: Pairs by name.
    """
    for name, value in values.items():
        is_pair = isinstance(value, (tuple, list)) and len(value) == 2
        if not is_pair or not all(map(is_number, value)):
            raise TypeError(f"`{name}` must be a pair (smallest, largest), received {value!r}.")
        smallest, largest = value
        if not low <= smallest <= largest <= high or (exclusive and smallest == low):
            limits = f"{'above' if exclusive else 'from'} {low}"
            limits += "" if high == math.inf else f" to {high}"
            raise ValueError(
                f"`{name}` must be a pair (smallest, largest) {limits}, in this order, received "
                f"{value!r}."
            )


def as_size(value, name="size"):
    """Returns an image size, an int or a pair, as `(height, width)`; raises for anything else."""
    pair = (value, value) if isinstance(value, int) else value
    is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
    if not is_pair or not all(isinstance(side, int) and side > 0 for side in pair):
        raise ValueError(
            f"`{name}` must be an int above 0, or a pair (height, width) of them, received "
            f"{value!r}."
        )
    return tuple(pair)


def check_view_sequence(views, least):
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


def check_same_shape(**tensors):
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


def as_array(name, values, dtype="float64"):
    """Returns an array of numbers; TypeError or ValueError for what is none."""
    try:
        return np.asarray(values, dtype)
    except (TypeError, ValueError) as error:
        kind = type(values).__name__
        raise TypeError(f"`{name}` must be an array of numbers, received {kind}.") from error


def check_labeled_features(**sets):
    """Raises ValueError unless each `(features, labels)` is `(N, D)` finite and `(N,)`."""
    widths = set()
    for name, (features, labels) in sets.items():
        if labels is None:
            raise ValueError(f"`{name}` has no labels (`{name}_labels`), and accuracy needs them.")
        features, labels = as_array(f"{name}_features", features), np.asarray(labels)
        if features.ndim != 2 or labels.ndim != 1 or len(features) != len(labels):
            raise ValueError(
                f"`{name}` must have features (N, D) and labels (N,): `{name}_features` has shape "
                f"{features.shape}, `{name}_labels` {labels.shape}."
            )
        if not features.size:
            raise ValueError(f"`{name}` is empty: `{name}_features` has shape {features.shape}.")
        if labels.dtype.kind not in "iubSU":
            raise TypeError(
                f"`{name}_labels` must be classes, ints or strings; received {labels.dtype}."
            )
        if not np.isfinite(features).all():
            raise ValueError(f"`{name}` has NaN or infinite features (`{name}_features`).")
        widths.add(features.shape[1])
    if len(widths) > 1:
        named = " and ".join(f"`{name}_features`" for name in sets)
        raise ValueError(f"Features differ in width between {named}: {widths}.")
