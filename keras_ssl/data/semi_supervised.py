"""Batches that pair a few labeled images with many unlabeled ones."""

from typing import Any, NamedTuple

import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl import views
from keras_ssl._types import Dataset, Tensor, View
from keras_ssl.data import elements, epoch_counter
from keras_ssl.data.pipeline import (
    assert_cardinality,
    check_view,
    fold_in,
    map_in_parallel,
    trace_once,
)
from keras_ssl.data.semi_supervised_arrays import (
    LABELED_VIEW,
    STRONG_VIEW,
    WEAK_VIEW,
    SemiSupervisedArrays,
    SemiSupervisedBatches,
    SemiSupervisedViews,
    are_arrays,
    supports_device_views,
)
from keras_ssl.data.semi_supervised_datasets import SemiSupervisedDatasets
from keras_ssl.validation import check_int, check_seed


class DatasetInfo(NamedTuple):
    """Statistics of a dataset that `fit` reads before training.

    Attributes:
        classes: Dict from each class among the labeled images to its number of images.
        unlabeled: Int, the number of unlabeled images.
    """

    classes: dict
    unlabeled: int


def semi_supervised(
    labeled: Dataset | tuple[Tensor, Tensor],
    unlabeled: Dataset | Tensor | tuple[Tensor, Tensor],
    batch_size: int = 64,
    unlabeled_ratio: int = 7,
    weak: View | None = None,
    strong: View | None = None,
    seed: int = 0,
) -> Dataset:
    """Pairs labeled with unlabeled images, each with its views, for semi-supervised training.

        labeled, unlabeled = keras_ssl.data.split_labels(images, labels_per_class=4)
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), epochs=10)

    An epoch is one shuffled pass over the unlabeled images; the last batch is dropped if it is not
    full. Labeled images are shuffled separately and repeat as often as needed, also within a batch
    if there are fewer than `batch_size`. The order and every draw of a view are a function of
    `(seed, epoch, position)`. `fit` sets the epoch; with `steps_per_epoch`, it continues from one
    pass to the next. In a custom loop, call `data.set_epoch` before each epoch. Otherwise, each
    iteration repeats the same epoch.

    Args:
        labeled: Unbatched `tf.data.Dataset` of `(image, label)` or of dicts with `"image"` and
            `"label"`, or a pair of arrays `(images, labels)`; classes start at 0.
        unlabeled: Unbatched `tf.data.Dataset` of images, of `(image, label)` or of dicts; or, if
            `labeled` is a pair of arrays, an array of images or such a pair. Images have the size
            of the labeled ones and are uint8 or float 0..1. Labels are optional, are below 0 if
            unknown, and are only used for logs.
        batch_size: Int >= 1, B, the number of labeled images in a batch over all devices.
        unlabeled_ratio: Int >= 1, the number of unlabeled images for each labeled one, "mu" in the
            papers.
        weak: View of labeled and unlabeled images. None for `views.fixmatch_weak(size)`, which
            flips images; pass `views.fixmatch_weak(size, flip=False)` if left and right differ in
            meaning.
        strong: View of unlabeled images. None for `views.fixmatch_strong(size)`.
        seed: Int that fits 32 bits.

    Returns:
        `tf.data.Dataset` of `({"labeled", "weak", "strong", "index"[, "unlabeled_labels"]},
        labels)`. With U = B * unlabeled_ratio: `labeled` `(B, H, W, C)` is a weak view, `weak` and
        `strong` are `(U, H, W, C)`, all float32 in 0..1. `index` `(U,)` int64 is the position of
        each unlabeled image in `unlabeled`. `unlabeled_labels` `(U,)` and `labels` `(B,)` are
        int64. For arrays on JAX, if both views use `keras.ops` alone: a `keras.utils.PyDataset` of
        the same elements, without TensorFlow. `fit` makes its views in the training step.

    Raises:
        TypeError: If an argument has a wrong type, or a view is not callable or is a Keras layer.
        ValueError: If a dataset is batched, empty or endless, images differ in shape, labels are
            missing or below 0, there are fewer unlabeled images than a batch takes, or a number is
            out of range.
    """
    check_int(1, batch_size=batch_size, unlabeled_ratio=unlabeled_ratio)
    check_seed(seed)
    for name, view in (("weak", weak), ("strong", strong)):
        if view is not None:
            check_view(view, name)
    are_both_arrays = are_arrays(labeled) and are_arrays(unlabeled)
    source: Any = (SemiSupervisedArrays if are_both_arrays else SemiSupervisedDatasets)(
        labeled, unlabeled
    )
    info = DatasetInfo(_count_classes(source.labels), source.num_unlabeled)
    sizes = batch_size, batch_size * unlabeled_ratio
    if info.unlabeled < sizes[1]:
        raise ValueError(
            f"`unlabeled` has {info.unlabeled} images and a batch takes {batch_size} * "
            f"{unlabeled_ratio} = {sizes[1]}: no full batch is left. Use a smaller "
            "`batch_size` or `unlabeled_ratio`."
        )
    weak = weak or views.fixmatch_weak(source.size)
    strong = strong or views.fixmatch_strong(source.size)
    if are_both_arrays and supports_device_views(weak, strong):
        return SemiSupervisedBatches(source, sizes, SemiSupervisedViews(weak, strong, seed), info)
    weak, strong = trace_once(weak), trace_once(strong)
    make_epoch = source.epoch_factory(sizes, seed)

    def make_batch(epoch, position, labeled_batch, unlabeled_batch):
        images, labels = labeled_batch
        index, (unlabeled_images, *unlabeled_labels) = unlabeled_batch
        images = elements.assert_images(images, position)
        unlabeled_images = elements.assert_images(unlabeled_images, position)
        parts = {
            "labeled": weak(images, fold_in([seed, LABELED_VIEW], epoch, position)),
            "weak": weak(unlabeled_images, fold_in([seed, WEAK_VIEW], epoch, position)),
            "strong": strong(unlabeled_images, fold_in([seed, STRONG_VIEW], epoch, position)),
            "index": index,
        }
        if unlabeled_labels:
            parts["unlabeled_labels"] = tf.cast(unlabeled_labels[0], tf.int64)
        return parts, tf.cast(labels, tf.int64)

    def build(first):
        epochs = epoch_counter.epoch_source(epoch_counter.EpochCounter(info))
        indexed = epochs.flat_map(lambda epoch: make_epoch(epoch, first))
        batches = map_in_parallel(indexed, make_batch)
        return assert_cardinality(batches, info.unlabeled // sizes[1] - first)

    return epoch_counter.attach_factory(build)


def _count_classes(labels):
    """Returns a dict from each class to its number of labeled images."""
    classes, counts = np.unique(labels, return_counts=True)
    if classes[0] < 0:
        raise ValueError(f"`labeled` must have labels of 0 or more, received {int(classes[0])}.")
    return {int(label): int(count) for label, count in zip(classes, counts, strict=True)}
