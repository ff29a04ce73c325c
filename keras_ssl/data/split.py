"""Which images keep their labels."""

import hashlib
import heapq

import numpy as np
import tensorflow as tf

from keras_ssl.data import elements


def split_labels(dataset, labels_per_class, seed=0):
    """Keeps the labels of a few images of each class.

    An image is chosen by the SHA-256 of `"<seed>:<its place>"`, the least of its class first: the
    same images on every machine and with every version of every library, as long as the data set
    has the same order. More per class adds images and changes none.

    Args:
        dataset: Unbatched `tf.data.Dataset` of `(image, label)` or of dicts with `"image"` and
            `"label"`, in one order; images of one size. A label below 0 is one that is not known.
        labels_per_class: Int >= 1.
        seed: Int.

    Returns:
        Pair `(labeled, unlabeled)`: a `tf.data.Dataset` of the chosen `(image, label)` in the order
        of the data set, in memory; and all images of `dataset`, the chosen ones too, with their
        labels, which no method learns from: `data.semi_supervised` tells by them how right
        pseudo-labels are.

    Raises:
        TypeError: If `labels_per_class` or `seed` is no int.
        ValueError: If the data set is batched, endless or without labels, images differ in size,
            or a class has fewer images than asked.
    """
    for name, value, least in (("labels_per_class", labels_per_class, 1), ("seed", seed, None)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"`{name}` must be an int, received {value!r}.")
        if least is not None and value < least:
            raise ValueError(f"`{name}` must be at least {least}, received {value}.")
    dataset = elements.require_labeled(dataset, "dataset")
    if elements.is_endless(dataset):
        raise ValueError("`dataset` repeats forever: give it without its repeat().")
    if not dataset.element_spec[0].shape.is_fully_defined():
        raise ValueError(
            f"`dataset` has images of shape {dataset.element_spec[0].shape}, and they must be of "
            "one size: load them with keras_ssl.data.load(..., image_size=SIDE), or resize them."
        )
    chosen, counts = {}, {}
    for place, (image, label) in enumerate(dataset.as_numpy_iterator()):
        if label < 0:
            continue
        rank = int.from_bytes(hashlib.sha256(f"{int(seed)}:{place}".encode()).digest())
        best = chosen.setdefault(int(label), [])
        counts[int(label)] = counts.get(int(label), 0) + 1
        # The largest rank stands first, by its sign, and is the one to go.
        add = heapq.heappush if len(best) < labels_per_class else heapq.heappushpop
        add(best, (-rank, place, image, label))
    if not counts:
        raise ValueError("`dataset` is empty, or has no label of 0 or more.")
    short = {label: count for label, count in sorted(counts.items()) if count < labels_per_class}
    if short:
        label, count = next(iter(short.items()))
        raise ValueError(
            f"`labels_per_class` is {labels_per_class}, and class {label} has {count} images: ask for fewer."
        )
    kept = sorted((item for best in chosen.values() for item in best), key=lambda item: item[1])
    images, labels = (np.stack([item[part] for item in kept]) for part in (2, 3))
    return tf.data.Dataset.from_tensor_slices((images, labels)), dataset
