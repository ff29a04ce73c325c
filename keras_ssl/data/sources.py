"""Data sets by name, from a folder or from arrays."""

import difflib
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_ssl.data import elements, folder
from keras_ssl.data.resize import resize_dataset, validate_size

DIGITS_TRAIN = 1437  # of 1,797
HELD_OUT = ("test", "validation", "val")  # the first of them that a data set has
EVERY = 5  # one image in five is held out where there is no such split


def load(name, split="train", image_size=None, data_dir=None, corrupt="skip"):
    """Reads images one by one, in an order that is always the same.

    Args:
        name: `"digits"` (8x8x1, bundled with scikit-learn; the first 1,437 are "train", the rest
            "test"); a TensorFlow Datasets name such as `"cifar10"`, downloaded when first used;
            the path of a folder of images (PNG, JPEG, BMP, the first frame of a GIF), where
            sub-folders, if any, are the classes, in alphabetical order; an array of images
            `(N, H, W, C)`; or a pair of arrays `(images, labels)`.
        split: String. In a folder, "train" is its sub-folder of this name, or all of it where it
            has none; any other name must be a sub-folder. Arrays are all "train".
        image_size: Int > 0 or pair `(height, width)`: the largest central part of this aspect
            ratio is resized to it, bilinear and antialiased. None leaves images as they are.
        data_dir: Where TensorFlow Datasets keeps its data, if not in the usual place.
        corrupt: What becomes of the files of a folder that cannot be decoded (all are tried at
            once, here): "skip" leaves them out and names them in one warning, "error" raises.

    Returns:
        Unbatched `tf.data.Dataset` of `(image, label)`: uint8 `(H, W, C)` in 0..255 (float arrays
        stay as they are) and an int64; of images alone where there are no labels. Images of a
        folder have three channels.

    Raises:
        ValueError: If there is no such data set, folder or split; it holds no image; its images
            differ in size and `image_size` is None; files are corrupt and `corrupt="error"`.
        TypeError: If an argument is of another kind.
    """
    if not isinstance(split, str) or not split:
        raise ValueError(f"`split` must be the name of one, such as 'train'; received {split!r}.")
    if not isinstance(corrupt, str) or corrupt not in ("skip", "error"):
        raise ValueError(f"`corrupt` must be 'skip' or 'error', received {corrupt!r}.")
    size = validate_size(image_size)
    if not isinstance(name, (str, Path)):
        return resize_dataset(_arrays(name, split), size)
    if not str(name):
        raise ValueError("`name` is empty: give 'digits', the name of a data set or a folder.")
    if name == "digits":
        return resize_dataset(_digits(split), size)
    path = Path(name).expanduser()
    if path.is_dir():
        return folder.dataset(folder.decodable(path, split, corrupt), size)
    return _of_tfds(builder(name, data_dir), split, size)


def load_train_and_test(name, image_size=None, data_dir=None, corrupt="skip"):
    """Reads what to learn from and what to measure on, apart from each other.

    The second is the split "test", "validation" or "val". Where there is none, a fifth of the
    images is held out: of a folder by their names, so that new images move none of the others.

    Args:
        name: As in `load`.
        image_size: As in `load`.
        data_dir: As in `load`.
        corrupt: As in `load`.

    Returns:
        Two unbatched `tf.data.Dataset`s, each as `load` returns it.

    Raises:
        ValueError: As in `load`.
        TypeError: As in `load`.
    """
    options = {"image_size": image_size, "data_dir": data_dir, "corrupt": corrupt}
    splits = _splits(name, data_dir)
    for split in HELD_OUT:
        if split in splits:
            return load(name, **options), load(name, split, **options)
    if isinstance(name, (str, Path)) and Path(name).expanduser().is_dir():
        files = folder.decodable(Path(name).expanduser(), "train", corrupt)
        size = validate_size(image_size)
        return tuple(folder.dataset(part, size) for part in folder.hold_out(files, EVERY))
    return _hold_out(load(name, **options))


def _splits(name, data_dir):
    """Names of the splits of a data set; none of arrays and of a folder without `train`."""
    if not isinstance(name, (str, Path)):
        return ()
    if name == "digits":
        return ("train", "test")
    path = Path(name).expanduser()
    if path.is_dir():
        return [
            split for split in HELD_OUT if (path / "train").is_dir() and (path / split).is_dir()
        ]
    return builder(name, data_dir).info.splits


def _hold_out(dataset):
    """Splits a dataset: every fifth element goes to the second part."""
    images = int(dataset.cardinality())
    if images < EVERY:
        raise ValueError(f"`name` has {images} images, too few to hold some out for testing.")

    def part(is_in, count):
        kept = dataset.enumerate().filter(lambda i, element: is_in(i % EVERY == EVERY - 1))
        kept = kept.map(lambda i, element: element)
        return kept.apply(tf.data.experimental.assert_cardinality(count))

    tested = images // EVERY
    return part(tf.logical_not, images - tested), part(tf.identity, tested)


def _digits(split):
    if split not in ("train", "test"):
        raise ValueError(f"`split` of digits must be 'train' or 'test', received {split!r}.")
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = slice(None, DIGITS_TRAIN) if split == "train" else slice(DIGITS_TRAIN, None)
    images = np.round(digits.images[rows, ..., None] * (255 / 16)).astype("uint8")  # were 0..16
    return tf.data.Dataset.from_tensor_slices((images, digits.target[rows].astype("int64")))


def _arrays(arrays, split):
    if split != "train":
        raise ValueError(f"`split` of arrays must be 'train', received {split!r}.")
    images, labels = arrays, None
    if isinstance(arrays, (tuple, list)) and len(arrays) == 2:
        images, labels = arrays
    if not hasattr(images, "shape"):
        raise TypeError(
            "`name` must be a name, the path of a folder, an array of images (N, H, W, C) or a "
            f"pair of arrays (images, labels); received {type(arrays).__name__}."
        )
    images = np.asarray(images)
    if images.ndim != 4 or not len(images):
        raise ValueError(
            f"`name` must be images (N, H, W, C), at least one; received shape {images.shape}. "
            "Give gray images a channel axis: images[..., None]."
        )
    if labels is None:
        return tf.data.Dataset.from_tensor_slices(images)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub" or labels.shape != (len(images),):
        raise ValueError(
            f"`name` has {len(images)} images, and {labels.dtype} labels of shape {labels.shape}: "
            f"they must be ({len(images)},), ints."
        )
    return tf.data.Dataset.from_tensor_slices((images, labels.astype("int64")))


def _of_tfds(builder, split, size):
    builder.download_and_prepare()
    dataset = elements.image_and_label(builder.as_dataset(split, shuffle_files=False))
    spec = dataset.element_spec
    if not isinstance(spec[0], tf.TensorSpec) or spec[0].dtype != tf.uint8:
        raise ValueError(f"`name` {builder.name!r} does not hold uint8 images: {spec[0]}.")
    if size is None and None in spec[0].shape:
        raise ValueError(
            f"The images of {builder.name!r} differ in size: pass `image_size`, such as 224."
        )
    if len(spec) == 1:
        dataset = dataset.map(lambda image: image)
    return resize_dataset(dataset, size)


def builder(name, data_dir):
    """The builder of TensorFlow Datasets of that name; ValueError if none, with close names."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(str(name), data_dir=None if data_dir is None else str(data_dir))
    except ValueError as error:  # unknown, or not of the form of a name
        known = tfds.list_builders(with_community_datasets=False)
        if str(name).split("/")[0].split(":")[0] in known:
            raise
        close = difflib.get_close_matches(str(name), ["digits", *known], n=3)
        hint = f" Close to it: {', '.join(close)}." if close else ""
        raise ValueError(
            f"`name` {str(name)!r} is not an existing folder, and not a known data set.{hint} "
            f'Known are "digits" and {len(known)} of TensorFlow Datasets, such as cifar10, '
            "stl10 and imagenette; tfds.list_builders() names them all."
        ) from error
