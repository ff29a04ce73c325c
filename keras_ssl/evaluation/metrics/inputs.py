"""Checks of features and labels."""

from typing import Any

import numpy as np


def as_array(name: str, values: Any, dtype: str = "float64") -> np.ndarray:
    """Converts values to a NumPy array of numbers; raises `TypeError` if that is impossible."""
    try:
        return np.asarray(values, dtype)
    except (TypeError, ValueError) as error:
        kind = type(values).__name__
        raise TypeError(f"`{name}` must be an array of numbers, received {kind}.") from error


def check_labeled_features(**sets: tuple[Any, Any]) -> None:
    """Raises unless each value is a pair of finite features `(N, D)` and labels `(N,)`.

    Features have the same width in all sets. Labels are ints or strings.
    """
    widths = []
    for name, (features, labels) in sets.items():
        if labels is None:
            raise ValueError(f"`{name}` has no labels: `{name}_labels` is None.")
        features, labels = as_array(f"{name}_features", features), np.asarray(labels)
        if features.ndim != 2 or labels.ndim != 1 or len(features) != len(labels):
            raise ValueError(
                f"`{name}` must have features (N, D) and labels (N,), received "
                f"`{name}_features` of shape {features.shape} and `{name}_labels` of shape "
                f"{labels.shape}."
            )
        if not features.size:
            raise ValueError(f"`{name}` is empty: `{name}_features` has shape {features.shape}.")
        if labels.dtype.kind not in "iubSU":
            raise TypeError(
                f"`{name}_labels` must be ints or strings, received dtype {labels.dtype}."
            )
        if not np.isfinite(features).all():
            raise ValueError(f"`{name}` has NaN or infinite features: see `{name}_features`.")
        widths.append(features.shape[1])
    if len(set(widths)) > 1:
        names = " and ".join(f"`{name}_features`" for name in sets)
        sizes = " and ".join(map(str, widths))
        raise ValueError(f"{names} must have the same width but differ in width: {sizes}.")
