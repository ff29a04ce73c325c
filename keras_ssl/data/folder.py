"""A folder of images: which files are images, which class is theirs, which can be decoded."""

import os
import warnings
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_ssl.data._options import without_autotune
from keras_ssl.data.resize import resize_and_crop

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
NAMED = 5  # corrupt files that a message names; the count says the rest


class Files(NamedTuple):
    """Image files of a folder, sorted by path; `labels` is None where they have none."""

    root: Path
    paths: list
    labels: np.ndarray | None
    shapes: np.ndarray | None = None  # (N, 2), height and width, once they have been decoded

    def subset(self, rows):
        """The files at some positions."""
        kept = (None if x is None else x[rows] for x in (self.labels, self.shapes))
        return Files(self.root, [self.paths[row] for row in rows], *kept)


def decodable(root, split, corrupt):
    """Finds the image files of a split of a folder that can be decoded, and their classes.

    Args:
        root: `pathlib.Path` of a folder.
        split: As in `data.load`.
        corrupt: As in `data.load`.

    Raises:
        ValueError: If the split is no sub-folder, no image is left, or some are corrupt and
            `corrupt="error"`.
    """
    files = _find(root, split)
    good, shapes = _decode_all(files.paths)
    bad = sorted(set(range(len(files.paths))) - set(good.tolist()))
    if bad:
        names = ", ".join(str(files.paths[i].relative_to(root)) for i in bad[:NAMED])
        more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        message = (
            f"{len(bad)} of {len(files.paths)} files of {str(root)!r} cannot be decoded as images: "
            f"{names}{more}."
        )
        if corrupt == "error" or not len(good):
            raise ValueError(message)
        warnings.warn(f"{message} They are left out.", stacklevel=3)
    return files.subset(good)._replace(shapes=shapes)


def classes(root, split):
    """Names of the classes of a split, in the order of their labels; empty where there are none."""
    files = _find(root, split)
    if files.labels is None:
        return []
    return sorted({path.relative_to(files.root).parts[0] for path in files.paths})


def hold_out(files, every):
    """Splits files in two by their names: about one in `every` goes to the second part.

    Raises:
        ValueError: If a part is left empty.
    """
    names = [path.relative_to(files.root).as_posix() for path in files.paths]
    held_out = np.array([zlib.crc32(name.encode()) % every == 0 for name in names])
    if held_out.all() or not held_out.any():
        raise ValueError(
            f"{str(files.root)!r} has {len(names)} images, too few to hold some out for testing: "
            "make sub-folders 'train' and 'test'."
        )
    return files.subset(np.flatnonzero(~held_out)), files.subset(np.flatnonzero(held_out))


def dataset(files, size):
    """Makes the dataset of files that can be decoded.

    Args:
        files: `Files`, from `decodable`.
        size: Pair `(height, width)`, or None.

    Raises:
        ValueError: If images differ in size and `size` is None.
    """
    smallest, largest = files.shapes.min(axis=0).tolist(), files.shapes.max(axis=0).tolist()
    if size is None and smallest != largest:
        raise ValueError(
            f"The images of {str(files.root)!r} differ in size: heights from {smallest[0]} to "
            f"{largest[0]}, widths from {smallest[1]} to {largest[1]}. Pass `image_size`, such as "
            "224."
        )

    def decode(path, *label):
        image = _decode(path)
        image = (
            tf.ensure_shape(image, (*smallest, 3)) if size is None else resize_and_crop(image, size)
        )
        return (image, *label) if label else image

    paths = np.array([str(path) for path in files.paths])
    tensors = (paths,) if files.labels is None else (paths, files.labels)
    read = tf.data.Dataset.from_tensor_slices(tensors)
    return without_autotune(read.map(decode, num_parallel_calls=tf.data.AUTOTUNE))


def _find(root, split):
    inside = root / split
    if inside.is_dir():
        root = inside
    elif split != "train":
        found = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
        raise ValueError(
            f"`split` {split!r} is not a sub-folder of {str(root)!r}; it has {found or 'none'}."
        )
    paths = sorted(
        path
        for path in _walk(root)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not paths:
        raise ValueError(f"Folder {str(root)!r} has no image: no file ends in {SUFFIXES}.")
    classes = [path.relative_to(root).parts[0] for path in paths if path.parent != root]
    if not classes:
        return Files(root, paths, None)
    if len(classes) < len(paths):
        warnings.warn(
            f"{len(paths) - len(classes)} of {len(paths)} images of {str(root)!r} lie outside its "
            "sub-folders: all are read without labels.",
            stacklevel=4,
        )
        return Files(root, paths, None)
    return Files(root, paths, np.unique(classes, return_inverse=True)[1].astype("int64"))


def _walk(root):
    """All files under a folder; warns of folders that cannot be read, which would go unnoticed."""
    unreadable = []
    for folder, _, names in os.walk(root, onerror=lambda error: unreadable.append(error.filename)):
        yield from (Path(folder, name) for name in names)
    if unreadable:
        names = ", ".join(map(str, unreadable))
        warnings.warn(
            f"Folders under {str(root)!r} that cannot be read: {names}. Their images are left out.",
            stacklevel=6,
        )


def _decode_all(paths):
    """Decodes all files. Returns the positions of those that can be, and their `(H, W)`."""
    numbered = tf.data.Dataset.from_tensor_slices([str(path) for path in paths]).enumerate()
    shapes = numbered.map(
        lambda index, path: (index, tf.shape(_decode(path))[:2]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    found = list(shapes.ignore_errors().as_numpy_iterator())
    return np.array([i for i, _ in found], "int64"), np.array([shape for _, shape in found])


def _decode(path):
    image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))
