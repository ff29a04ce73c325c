"""What the classes of a data set are called."""

from pathlib import Path

from keras_ssl.data import folder
from keras_ssl.data.sources import builder

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def class_names(name, data_dir=None):
    """Names of the classes of a data set, in the order of their labels.

    Args:
        name: `"digits"`, a TensorFlow Datasets name or the path of a folder, as in `data.load`.
        data_dir: As in `data.load`.

    Returns:
        List of K strings, lower case, with spaces for underscores.

    Raises:
        ValueError: If there is no such data set, or its classes have no names.
    """
    if name == "digits":
        return list(DIGITS)
    path = Path(name).expanduser()
    names = folder.classes(path, "train") if path.is_dir() else _of_tfds(name, data_dir)
    if not names:
        raise ValueError(f"`name` {str(name)!r} has no classes with names.")
    return [str(each).replace("_", " ").lower() for each in names]


def _of_tfds(name, data_dir):
    features = builder(name, data_dir).info.features
    return getattr(dict(features).get("label"), "names", None)
