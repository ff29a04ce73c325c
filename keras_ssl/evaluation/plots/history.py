"""Plots of the training history."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_ssl._types import PathLike
from keras_ssl.evaluation.plots._figure import new_figure, save_figure

MAX_COLUMNS = 4
MAX_MARKERS = 30  # longer curves have no markers


def plot_history(history: Mapping[str, Sequence[float]], path: PathLike) -> None:
    """Plots each logged quantity over the epochs.

    Args:
        history: Dict of lists of numbers, such as `fit(...).history`. NaN is left out.
        path: File to write, `.png`. A quantity and its `val_` counterpart share a plot.

    Raises:
        ValueError: If `history` is empty.
    """
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history if name != "epoch"))
    if not names:
        raise ValueError(
            f"`history` must have at least one quantity. Received the keys {list(history)}."
        )
    num_rows = -(-len(names) // MAX_COLUMNS)
    num_columns = -(-len(names) // num_rows)
    figure = new_figure(3.6 * num_columns, 2.8 * num_rows)
    axes = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.remove()
    for axis, name in zip(axes, names, strict=False):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            values = np.array(history.get(key, []), "float64")
            is_known = np.isfinite(values)
            if is_known.any():
                # Without a marker, a single value would be invisible.
                marker = "." if is_known.sum() < MAX_MARKERS else None
                epochs = np.arange(1, len(values) + 1)
                axis.plot(epochs[is_known], values[is_known], marker=marker, label=label)
        if f"val_{name}" in history:
            axis.legend(fontsize=8)
        axis.set_title(name.replace("_", " "), fontsize=10)
        axis.set_xlabel("epoch", fontsize=8)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    save_figure(figure, path)
