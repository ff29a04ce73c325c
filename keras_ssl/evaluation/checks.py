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


def check_labelled(**sets):
    """Raises ValueError unless each `(features, labels)` is `(N, D)` finite and `(N,)`."""
    widths = set()
    for name, (features, labels) in sets.items():
        if labels is None:
            raise ValueError(f"`{name}` has no labels, and accuracy needs them.")
        features, labels = np.asarray(features), np.asarray(labels)
        if features.ndim != 2 or labels.ndim != 1 or len(features) != len(labels):
            raise ValueError(
                f"`{name}` must have features (N, D) and labels (N,), received shapes "
                f"{features.shape} and {labels.shape}."
            )
        if not len(features):
            raise ValueError(f"`{name}` is empty.")
        if not np.isfinite(features).all():
            raise ValueError(f"`{name}` has NaN or infinite features.")
        widths.add(features.shape[1])
    if len(widths) > 1:
        raise ValueError(f"Features differ in width between {' and '.join(sets)}: {widths}.")
