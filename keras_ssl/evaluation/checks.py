"""What every measurement asks of its arguments."""

import operator

import numpy as np


def check_count(**numbers):
    """Raises ValueError for a number that is not an integer of 1 or more."""
    for name, number in numbers.items():
        try:
            is_count = not isinstance(number, bool) and operator.index(number) >= 1
        except TypeError:
            is_count = False
        if not is_count:
            raise ValueError(f"`{name}` must be an int of 1 or more, received {number!r}.")


def numbers(name, values, dtype="float64"):
    """Returns an array of numbers; TypeError or ValueError for what is none."""
    try:
        return np.asarray(values, dtype)
    except (TypeError, ValueError) as error:
        kind = type(values).__name__
        raise TypeError(f"`{name}` must be an array of numbers, received {kind}.") from error


def check_labelled(**sets):
    """Raises ValueError unless each `(features, labels)` is `(N, D)` finite and `(N,)`."""
    widths = set()
    for name, (features, labels) in sets.items():
        if labels is None:
            raise ValueError(f"`{name}` has no labels (`{name}_labels`), and accuracy needs them.")
        features, labels = numbers(f"{name}_features", features), np.asarray(labels)
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
