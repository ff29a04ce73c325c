"""Stratified splits into labeled and unlabeled images."""

import hashlib
import heapq
import math

import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl._types import Dataset
from keras_ssl.data import elements
from keras_ssl.validation import check_int


def split_labels(dataset: Dataset, labels_per_class: int, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Keeps the labels of a few images of each class.

    Each class keeps the images with the smallest SHA-256 hashes of `"<seed>:<position>"`, where
    the position is that in the dataset. The choice is the same on every machine and with every
    version of every library, as long as the dataset has the same order. A larger
    `labels_per_class` adds images to the choice and removes none.

    Args:
        dataset: Unbatched `tf.data.Dataset` of `(image, label)` or of dicts with `"image"` and
            `"label"`, in a fixed order and with images of one size. Labels below 0 are unknown.
        labels_per_class: Int >= 1.
        seed: Int.

    Returns:
        Pair `(labeled, unlabeled)`. `labeled` is a `tf.data.Dataset` of the chosen
        `(image, label)` in the order of `dataset`, held in memory. `unlabeled` holds all images of
        `dataset`, including the chosen ones, with their labels. No method trains on these labels;
        `data.semi_supervised` passes them on to measure the accuracy of pseudo-labels.

    Raises:
        TypeError: If `dataset` is not a `tf.data.Dataset`, or `labels_per_class` or `seed` is not
            an int.
        ValueError: If the dataset is batched, endless or without labels, its images differ in
            size, or a class has fewer than `labels_per_class` images.
    """
    check_int(1, labels_per_class=labels_per_class)
    check_int(-math.inf, seed=seed)
    dataset = elements.require_labeled(dataset, "dataset")
    if elements.is_endless(dataset):
        raise ValueError("`dataset` repeats forever. Pass it without `repeat()`.")
    shape = dataset.element_spec[0].shape
    if not shape.is_fully_defined():
        raise ValueError(
            f"`dataset` must have images of one size, received images of shape {shape}. Load them "
            "with keras_ssl.data.load(..., image_size=SIDE), or resize them."
        )
    chosen: dict[int, list[tuple]] = {}
    counts: dict[int, int] = {}
    for position, (image, label) in enumerate(dataset.as_numpy_iterator()):
        if label < 0:
            continue
        key = int.from_bytes(hashlib.sha256(f"{int(seed)}:{position}".encode()).digest())
        heap = chosen.setdefault(int(label), [])
        counts[int(label)] = counts.get(int(label), 0) + 1
        # Negated, the largest hash is the first of the heap, and is replaced first.
        push = heapq.heappush if len(heap) < labels_per_class else heapq.heappushpop
        push(heap, (-key, position, image, label))
    if not counts:
        raise ValueError("`dataset` is empty, or has no label of 0 or more.")
    for label, count in sorted(counts.items()):
        if count < labels_per_class:
            raise ValueError(
                f"`labels_per_class` is {labels_per_class}, and class {label} has {count} images. "
                f"Use at most {min(counts.values())}."
            )
    items = sorted((item for heap in chosen.values() for item in heap), key=lambda item: item[1])
    images = np.stack([image for _, _, image, _ in items])
    labels = np.stack([label for _, _, _, label in items])
    return tf.data.Dataset.from_tensor_slices((images, labels)), dataset
