"""The logs of a run, over all its sittings."""

import csv
import os
from pathlib import Path

import keras

from keras_ssl import distribute


class ResumableCSVLogger(keras.callbacks.Callback):
    """Keeps the logs of every epoch in a CSV file, also when a run is gone on with.

    Unlike `keras.callbacks.CSVLogger` it drops rows of epochs that a continued run does again,
    and takes up quantities that begin to be logged later. The file is replaced as a whole at each
    epoch, so that a crash leaves the one before.

    Args:
        path: File, `.csv`. Columns: `epoch` (0 is the first), then the logs.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)

    def on_epoch_end(self, epoch, logs=None):
        """Adds the row of this epoch; of several workers the first one does."""
        if not distribute.is_chief(self.model):
            return
        rows = [row for row in _rows(self.path) if row["epoch"] < epoch]
        rows.append({"epoch": epoch, **{name: float(value) for name, value in logs.items()}})
        names = list(dict.fromkeys(name for row in rows for name in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".unfinished")
        with open(unfinished, "w", newline="") as file:
            writer = csv.DictWriter(file, names, restval="nan")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(unfinished, self.path)


def read_history(path):
    """Reads what `ResumableCSVLogger` wrote.

    Args:
        path: The file; it need not exist.

    Returns:
        Dict of lists of equal length, as `fit(...).history`, with `epoch` among them; empty where
        there is no file. NaN stands where an epoch logged no such quantity.
    """
    rows = _rows(Path(path))
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _rows(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [
            {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]
