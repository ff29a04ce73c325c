"""A CSV log that survives resumes."""

import csv
import os
from pathlib import Path

import keras

from keras_ssl import distribute
from keras_ssl._types import PathLike


class ResumableCSVLogger(keras.callbacks.Callback):
    """Writes the logs of each epoch to a CSV file, across interruptions and resumes.

    Unlike `keras.callbacks.CSVLogger`, it replaces the rows of epochs that a resumed run repeats,
    and accepts quantities that are logged for the first time in a later epoch. The file is
    replaced as a whole after each epoch, so a crash never damages it.

    Args:
        path: File to write, `.csv`. Columns: `epoch` (0 is the first), then the logs.
    """

    def __init__(self, path: PathLike) -> None:
        super().__init__()
        self.path = Path(path)

    def on_epoch_end(self, epoch, logs=None):
        if not distribute.is_chief(self.model):
            return
        rows = [row for row in _read_rows(self.path) if row["epoch"] < epoch]
        rows.append({"epoch": epoch, **{name: float(value) for name, value in logs.items()}})
        names = list(dict.fromkeys(name for row in rows for name in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".unfinished")
        with open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, names, restval="nan")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(temporary, self.path)


def read_history(path: PathLike) -> dict[str, list[float]]:
    """Reads the file of a `ResumableCSVLogger`.

    Args:
        path: The file. It may be missing.

    Returns:
        Dict of lists of equal length, like `fit(...).history`, with the additional key `epoch`.
        Epochs that did not log a quantity have NaN. The dict is empty if there is no file.
    """
    rows = _read_rows(Path(path))
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _read_rows(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [
            {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]
