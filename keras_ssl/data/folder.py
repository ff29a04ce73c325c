"""Folders of images: finding the files, their classes, and the files that can be decoded."""

import os
import warnings
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl.data._options import without_autotune
from keras_ssl.data.resize import crop_and_resize

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
MAX_NAMES = 5  # corrupt files that a message names; it counts the others


class Files(NamedTuple):
    """Image files of a folder.

    Attributes:
        root: `pathlib.Path` of the folder.
        paths: List of N paths, sorted.
        labels: Int64 array `(N,)`, or None if the images have no labels.
        shapes: Int array `(N, 2)` of heights and widths, or None before decoding.
    """

    root: Path
    paths: list
    labels: np.ndarray | None
    shapes: np.ndarray | None = None

    def subset(self, rows):
        """Returns the files at some positions."""
        labels, shapes = (None if x is None else x[rows] for x in (self.labels, self.shapes))
        return Files(self.root, [self.paths[row] for row in rows], labels, shapes)


def find_decodable_files(root, split, corrupt):
    """Returns the image files of a split that can be decoded, as `Files`.

    Args:
        root: `pathlib.Path` of a folder.
        split: As in `data.load`.
        corrupt: As in `data.load`.

    Raises:
        ValueError: If the split is not a sub-folder, no image can be decoded, or some cannot and
            `corrupt="error"`.
    """
    files = _find_files(root, split)
    decodable, shapes = _decode_all(files.paths)
    bad = sorted(set(range(len(files.paths))) - set(decodable.tolist()))
    if bad:
        names = ", ".join(str(files.paths[i].relative_to(root)) for i in bad[:MAX_NAMES])
        more = f" and {len(bad) - MAX_NAMES} more" if len(bad) > MAX_NAMES else ""
        message = (
            f"{len(bad)} of {len(files.paths)} files of {str(root)!r} cannot be decoded as images: "
            f"{names}{more}."
        )
        if corrupt == "error" or not len(decodable):
            raise ValueError(message)
        warnings.warn(f"{message} They are skipped.", stacklevel=3)
    return files.subset(decodable)._replace(shapes=shapes)


def find_classes(root, split):
    """Returns the names of the classes of a split in the order of labels, empty if it has none."""
    files = _find_files(root, split)
    if files.labels is None:
        return []
    return sorted({path.relative_to(files.root).parts[0] for path in files.paths})


def hold_out(files, every):
    """Splits files in two by a hash of their names: about one in `every` is held out.

    Raises:
        ValueError: If one of the two parts is empty.
    """
    names = [path.relative_to(files.root).as_posix() for path in files.paths]
    is_held_out = np.array([zlib.crc32(name.encode()) % every == 0 for name in names])
    if is_held_out.all() or not is_held_out.any():
        raise ValueError(
            f"{str(files.root)!r} has {len(names)} images, too few to hold some out for testing. "
            "Move them to sub-folders 'train' and 'test'."
        )
    return files.subset(np.flatnonzero(~is_held_out)), files.subset(np.flatnonzero(is_held_out))


def make_dataset(files, size):
    """Returns the dataset of files that can be decoded.

    Args:
        files: `Files`, from `find_decodable_files`.
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
        if size is None:
            image = tf.ensure_shape(image, (*smallest, 3))
        else:
            image = crop_and_resize(image, size)
        return (image, *label) if label else image

    paths = np.array([str(path) for path in files.paths])
    tensors = (paths,) if files.labels is None else (paths, files.labels)
    dataset = tf.data.Dataset.from_tensor_slices(tensors)
    return without_autotune(dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE))


def _find_files(root, split):
    split_root = root / split
    if split_root.is_dir():
        root = split_root
    elif split != "train":
        folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
        raise ValueError(
            f"`split` {split!r} is not a sub-folder of {str(root)!r}; it has {folders or 'none'}."
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
            f"{len(paths) - len(classes)} of {len(paths)} images of {str(root)!r} are outside its "
            "sub-folders. All images are loaded without labels.",
            stacklevel=4,
        )
        return Files(root, paths, None)
    return Files(root, paths, np.unique(classes, return_inverse=True)[1].astype("int64"))


def _walk(root):
    """Yields all files under a folder, and warns of sub-folders that cannot be read."""
    unreadable = []
    for folder, _, names in os.walk(root, onerror=lambda error: unreadable.append(error.filename)):
        yield from (Path(folder, name) for name in names)
    if unreadable:
        names = ", ".join(map(str, unreadable))
        warnings.warn(
            f"Folders under {str(root)!r} that cannot be read: {names}. Their images are skipped.",
            stacklevel=6,
        )


def _decode_all(paths):
    """Decodes all files; returns the positions of those that can be decoded, and their `(H, W)`."""
    indexed = tf.data.Dataset.from_tensor_slices([str(path) for path in paths]).enumerate()
    shapes = indexed.map(
        lambda index, path: (index, tf.shape(_decode(path))[:2]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    decoded = list(shapes.ignore_errors().as_numpy_iterator())
    return np.array([i for i, _ in decoded], "int64"), np.array([shape for _, shape in decoded])


def _decode(path):
    image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))
