"""Names of the classes of datasets."""

from pathlib import Path

from keras_ssl._types import PathLike
from keras_ssl.data import folder
from keras_ssl.data.sources import tfds_builder

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def class_names(name: PathLike, data_dir: PathLike | None = None) -> list[str]:
    """Returns the names of the classes of a dataset, in the order of their labels.

    Args:
        name: `"digits"`, a TensorFlow Datasets name or the path of a folder, as in `data.load`.
        data_dir: As in `data.load`.

    Returns:
        List of K strings in lower case, with spaces instead of underscores.

    Raises:
        ValueError: If there is no such dataset, or its classes have no names.
    """
    if name == "digits":
        return list(DIGITS)
    path = Path(name).expanduser()
    names = folder.find_classes(path, "train") if path.is_dir() else _tfds_classes(name, data_dir)
    if not names:
        raise ValueError(
            f"`name` {str(name)!r} has no classes with names. Pass a folder with a sub-folder for "
            "each class, or a dataset with class labels."
        )
    return [str(class_name).replace("_", " ").lower() for class_name in names]


def _tfds_classes(name, data_dir):
    features = tfds_builder(name, data_dir).info.features
    return getattr(dict(features).get("label"), "names", None)
