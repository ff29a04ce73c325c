"""Loading of image datasets: bundled ones, TensorFlow Datasets, folders and arrays."""

import difflib
from pathlib import Path
from typing import Any

import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl._types import Dataset, PathLike, Size, Tensor
from keras_ssl.data import elements, folder
from keras_ssl.data.resize import resize_dataset, validate_size
from keras_ssl.validation import check_choice

NUM_TRAIN_DIGITS = 1437  # of 1,797
TEST_SPLITS = ("test", "validation", "val")  # in order of preference
HOLD_OUT_EVERY = 5  # one image in five is for testing if there is no such split


def load(
    name: PathLike | Tensor | tuple[Tensor, Tensor],
    split: str = "train",
    image_size: Size | None = None,
    data_dir: PathLike | None = None,
    corrupt: str = "skip",
) -> Dataset:
    """Loads images one by one, always in the same order.

    Args:
        name: The images to load, one of:

            - `"digits"`: 8x8x1, bundled with scikit-learn. The first 1,437 are the split "train",
              the others "test".
            - The name of a dataset of TensorFlow Datasets, such as `"cifar10"`. It is downloaded on
              first use.
            - The path of a folder of PNG, JPEG, BMP or GIF images; the first frame of a GIF is
              used. Sub-folders, if any, are the classes, in alphabetical order.
            - An array of images `(N, H, W, C)`, or a pair of arrays `(images, labels)`.
        split: String. In a folder, "train" is the sub-folder of this name, or the whole folder if
            there is none. Any other name must be a sub-folder. Arrays have only "train".
        image_size: Int >= 1 or pair `(height, width)`. The largest central crop of this aspect
            ratio is resized to it, bilinear and antialiased. None keeps the size of the images.
        data_dir: Folder of TensorFlow Datasets, or None for its default.
        corrupt: What to do with files of a folder that cannot be decoded: "skip" skips them and
            names them in one warning, "error" raises. All files are decoded once to find them.

    Returns:
        Unbatched `tf.data.Dataset` of `(image, label)`, or of images if there are no labels. Images
        are uint8 `(H, W, C)` in 0..255; float arrays keep their dtype. Labels are int64. Images of
        a folder have three channels.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If there is no such dataset, folder or split, it has no image, its images differ
            in size and `image_size` is None, or files are corrupt and `corrupt="error"`.
    """
    if not isinstance(split, str) or not split:
        raise ValueError(f"`split` must be a name such as 'train', received {split!r}.")
    check_choice(("skip", "error"), corrupt=corrupt)
    size = validate_size(image_size)
    if not isinstance(name, (str, Path)):
        return resize_dataset(_load_arrays(name, split), size)
    if not str(name):
        raise ValueError("`name` is empty. Pass 'digits', the name of a dataset or a folder.")
    if name == "digits":
        return resize_dataset(_load_digits(split), size)
    path = Path(name).expanduser()
    if path.is_dir():
        return folder.make_dataset(folder.find_decodable_files(path, split, corrupt), size)
    return _load_tfds(tfds_builder(name, data_dir), split, size)


def load_train_and_test(
    name: PathLike | Tensor | tuple[Tensor, Tensor],
    image_size: Size | None = None,
    data_dir: PathLike | None = None,
    corrupt: str = "skip",
) -> tuple[Dataset, Dataset]:
    """Loads disjoint images for training and for testing.

    The images for testing are the split "test", "validation" or "val". If there is none, about a
    fifth of the images is held out. The images of a folder are chosen by their file names, so that
    adding images moves no other image to the other part.

    Args:
        name: As in `load`.
        image_size: As in `load`.
        data_dir: As in `load`.
        corrupt: As in `load`.

    Returns:
        Two unbatched `tf.data.Dataset`s, `(train, test)`, with elements as in `load`.

    Raises:
        TypeError: As in `load`.
        ValueError: As in `load`, or if there are too few images to hold some out.
    """
    options: dict[str, Any] = {"image_size": image_size, "data_dir": data_dir, "corrupt": corrupt}
    splits = _find_splits(name, data_dir)
    for split in TEST_SPLITS:
        if split in splits:
            return load(name, **options), load(name, split, **options)
    if isinstance(name, (str, Path)) and Path(name).expanduser().is_dir():
        files = folder.find_decodable_files(Path(name).expanduser(), "train", corrupt)
        size = validate_size(image_size)
        train, test = folder.hold_out(files, HOLD_OUT_EVERY)
        return folder.make_dataset(train, size), folder.make_dataset(test, size)
    return _hold_out(load(name, **options))


def _find_splits(name, data_dir):
    """Returns the names of the splits; empty for arrays and for a folder without "train"."""
    if not isinstance(name, (str, Path)):
        return ()
    if name == "digits":
        return ("train", "test")
    path = Path(name).expanduser()
    if path.is_dir():
        has_train = (path / "train").is_dir()
        return [split for split in TEST_SPLITS if has_train and (path / split).is_dir()]
    return tfds_builder(name, data_dir).info.splits


def _hold_out(dataset):
    """Splits a dataset: every fifth element goes to the second part."""
    images = int(dataset.cardinality())
    if images < HOLD_OUT_EVERY:
        raise ValueError(f"`name` has {images} images, too few to hold some out for testing.")

    def is_test(index, element):
        return tf.equal(index % HOLD_OUT_EVERY, HOLD_OUT_EVERY - 1)

    def is_train(index, element):
        return tf.logical_not(is_test(index, element))

    def select(predicate, count):
        part = dataset.enumerate().filter(predicate).map(lambda index, element: element)
        return part.apply(tf.data.experimental.assert_cardinality(count))

    num_test = images // HOLD_OUT_EVERY
    return select(is_train, images - num_test), select(is_test, num_test)


def _load_digits(split):
    if split not in ("train", "test"):
        raise ValueError(f"`split` of digits must be 'train' or 'test', received {split!r}.")
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = slice(NUM_TRAIN_DIGITS) if split == "train" else slice(NUM_TRAIN_DIGITS, None)
    # scikit-learn's pixels are 0..16.
    images = np.round(digits.images[rows, ..., None] * (255 / 16)).astype("uint8")
    return tf.data.Dataset.from_tensor_slices((images, digits.target[rows].astype("int64")))


def _load_arrays(arrays, split):
    if split != "train":
        raise ValueError(f"`split` of arrays must be 'train', received {split!r}.")
    images, labels = arrays, None
    if isinstance(arrays, (tuple, list)) and len(arrays) == 2:
        images, labels = arrays
    if not hasattr(images, "shape"):
        raise TypeError(
            "`name` must be the name of a dataset, the path of a folder, an array of images "
            f"(N, H, W, C) or a pair of arrays (images, labels); received {type(arrays).__name__}."
        )
    images = np.asarray(images)
    if images.ndim != 4 or not len(images):
        raise ValueError(
            f"`name` must hold images (N, H, W, C), at least one; received shape {images.shape}. "
            "Add a channel axis to gray images: images[..., None]."
        )
    if labels is None:
        return tf.data.Dataset.from_tensor_slices(images)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub" or labels.shape != (len(images),):
        raise ValueError(
            f"`name` has {len(images)} images, so labels must be ints of shape ({len(images)},); "
            f"received {labels.dtype} of shape {labels.shape}."
        )
    return tf.data.Dataset.from_tensor_slices((images, labels.astype("int64")))


def _load_tfds(builder, split, size):
    builder.download_and_prepare()
    dataset = elements.image_and_label(builder.as_dataset(split, shuffle_files=False))
    spec = dataset.element_spec
    if not isinstance(spec[0], tf.TensorSpec) or spec[0].dtype != tf.uint8:
        raise ValueError(
            f"`name` must be a dataset of uint8 images; {builder.name!r} has {spec[0]}."
        )
    if size is None and None in spec[0].shape:
        raise ValueError(
            f"The images of {builder.name!r} differ in size. Pass `image_size`, such as 224."
        )
    if len(spec) == 1:
        dataset = dataset.map(lambda image: image)
    return resize_dataset(dataset, size)


def tfds_builder(name, data_dir):
    """Returns the builder of a dataset of TensorFlow Datasets.

    Raises:
        ValueError: If there is none of this name; the message lists similar names.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(str(name), data_dir=None if data_dir is None else str(data_dir))
    except ValueError as error:  # unknown or malformed name
        known = tfds.list_builders(with_community_datasets=False)
        if str(name).split("/")[0].split(":")[0] in known:
            raise
        similar = difflib.get_close_matches(str(name), ["digits", *known], n=3)
        hint = f" Similar names: {', '.join(similar)}." if similar else ""
        raise ValueError(
            f"`name` {str(name)!r} is not an existing folder, and not a known dataset.{hint} Known "
            f'are "digits" and {len(known)} datasets of TensorFlow Datasets, such as cifar10, '
            "stl10 and imagenette; tfds.list_builders() lists all of them."
        ) from error
