"""Datasets as labeled and unlabeled images."""

import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl.data import elements
from keras_ssl.data.pipeline import shuffle_buffer_size, shuffle_epoch
from keras_ssl.data.semi_supervised_arrays import LABELED, UNLABELED


class SemiSupervisedDatasets:
    """Labeled and unlabeled images in datasets, with the methods of `SemiSupervisedArrays`."""

    def __init__(self, labeled, unlabeled):
        labeled = elements.require_labeled(labeled, "labeled")
        unlabeled = elements.require_unbatched(unlabeled, "unlabeled")
        if len(unlabeled.element_spec) > 1:
            elements.require_labeled(unlabeled, "unlabeled")
        for name, dataset in (("labeled", labeled), ("unlabeled", unlabeled)):
            elements.check_first_image(dataset, name)
        self.labeled, self.unlabeled = labeled, unlabeled
        self.size = _common_size(labeled, unlabeled)
        self.labels, self.num_unlabeled = _read_labels(labeled), _count_images(unlabeled)

    def epoch_factory(self, sizes, seed):
        labeled, unlabeled = self.labeled, self.unlabeled
        labeled_buffer, unlabeled_buffer = map(shuffle_buffer_size, (labeled, unlabeled))

        def make_epoch(epoch, first):
            unlabeled_images = shuffle_epoch(
                unlabeled.enumerate(), unlabeled_buffer, [seed, UNLABELED], epoch
            )
            labeled_images = tf.data.Dataset.range(2**31).flat_map(
                lambda i: shuffle_epoch(labeled, labeled_buffer, [seed, LABELED], epoch, i)
            )
            batches = tf.data.Dataset.zip(
                labeled_images.batch(sizes[0], drop_remainder=True),
                unlabeled_images.batch(sizes[1], drop_remainder=True),
            )
            batches = batches.enumerate().skip(first)
            return batches.map(lambda position, parts: (epoch, position, *parts))

        return make_epoch


def _common_size(labeled, unlabeled):
    """Returns the height and width that all images share."""
    shapes = [dataset.element_spec[0].shape for dataset in (labeled, unlabeled)]
    for name, shape in zip(("labeled", "unlabeled"), shapes, strict=True):
        if not shape.is_fully_defined():
            raise ValueError(
                f"`{name}` must have images of one size, received images of shape {shape}. Load "
                "them with keras_ssl.data.load(..., image_size=SIDE), or resize them."
            )
    if shapes[0] != shapes[1]:
        raise ValueError(
            "`labeled` and `unlabeled` must have images of one shape, received "
            f"{shapes[0]} and {shapes[1]}."
        )
    return tuple(shapes[0][:2])


def _count_images(unlabeled):
    """Returns the number of unlabeled images, and counts them if the dataset does not know it."""
    images = int(unlabeled.cardinality())
    if images == tf.data.INFINITE_CARDINALITY:
        raise ValueError("`unlabeled` repeats forever. Pass it without `repeat()`.")
    if images < 0:
        images = int(unlabeled.reduce(np.int64(0), lambda count, *_: count + 1))
    if images == 0:
        raise ValueError("`unlabeled` is empty. It must have at least one batch of images.")
    return images


def _read_labels(labeled):
    """Returns all labels of labeled images, an array."""
    if elements.is_endless(labeled):
        raise ValueError("`labeled` repeats forever. Pass it without `repeat()`.")
    labels = list(labeled.map(lambda _, label: label).as_numpy_iterator())
    if not labels:
        raise ValueError("`labeled` is empty. It must have at least one image of each class.")
    return np.array(labels)
