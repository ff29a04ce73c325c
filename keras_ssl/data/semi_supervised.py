"""Batches of few images with labels beside many without."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_ssl.data import elements, epoch_counter
from keras_ssl.data.pipeline import (
    assert_cardinality,
    check_seed,
    check_view,
    map_in_parallel,
    shuffle_buffer_size,
    shuffle_epoch,
    trace_once,
)
from keras_ssl.validation import check_int
from keras_ssl.views import fixmatch_strong, fixmatch_weak
from keras_ssl.views.base import fold_in

# Second part of the seed; 0 and 1 are those of self-supervised training and evaluation.
UNLABELED, LABELED, LABELED_VIEW, WEAK_VIEW, STRONG_VIEW = 2, 3, 4, 5, 6


class DatasetInfo(NamedTuple):
    """What `fit` is told of the data before training starts.

    Attributes:
        classes: Dict from each class among the labeled images to their number.
        unlabeled: Int, unlabeled images.
    """

    classes: dict
    unlabeled: int


def semi_supervised(
    labeled, unlabeled, batch_size=64, unlabeled_ratio=7, weak=None, strong=None, seed=0
):
    """Puts labeled and unlabeled images side by side, with a weak and a strong view.

        labeled, unlabeled = keras_ssl.data.split_labels(images, labels_per_class=4)
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), epochs=10)

    An epoch is one pass over the unlabeled images, shuffled, without the last batch where it is
    not full; labeled images are shuffled by themselves and repeat as often as needed, also within
    a batch where there are few. The order and every draw of a view are a function of `(seed, epoch,
    position)`; `fit` sets the epoch, and with `steps_per_epoch` goes on from pass to pass. In a
    loop of one's own `data.set_epoch` does: a second iteration is the same epoch otherwise.

    Args:
        labeled: Unbatched `tf.data.Dataset` of `(image, label)` or of dicts, classes from 0.
        unlabeled: Unbatched `tf.data.Dataset` of images of the same size, uint8 or float 0..1, of
            `(image, label)` or of dicts; labels, below 0 where they are not known, serve the log
            alone.
        batch_size: Int >= 1, B, labeled images in a batch, over all devices.
        unlabeled_ratio: Int >= 1, how many times as many unlabeled ones.
        weak: View of labeled and unlabeled images; None for `views.fixmatch_weak`, which mirrors
            them: pass `views.fixmatch_weak(size, flip=False)` where left and right mean something.
        strong: View of unlabeled images; None for `views.fixmatch_strong`.
        seed: Int.

    Returns:
        `tf.data.Dataset` of `({"labeled", "weak", "strong", "index"[, "unlabeled_labels"]},
        labels)`. With U = B * unlabeled_ratio: `labeled` `(B, H, W, C)` is a weak view, `weak` and
        `strong` are `(U, H, W, C)`, all float32 0..1; `index` `(U,)` int64 is the place of each
        unlabeled image in `unlabeled`; `unlabeled_labels` `(U,)` and `labels` `(B,)` int64.

    Raises:
        TypeError: If a view is not callable.
        ValueError: If a data set is batched, empty, endless or has images of several sizes, if
            labels are missing or below 0, if there are fewer unlabeled images than a batch takes,
            or a number is out of range.
    """
    check_int(1, batch_size=batch_size)
    check_int(1, unlabeled_ratio=unlabeled_ratio)
    check_seed(seed)
    for name, view in (("weak", weak), ("strong", strong)):
        if view is not None:
            check_view(view, name)
    labeled = elements.require_labeled(labeled, "labeled")
    unlabeled = elements.require_unbatched(unlabeled, "unlabeled")
    if len(unlabeled.element_spec) > 1:
        elements.require_labeled(unlabeled, "unlabeled")
    for name, dataset in (("labeled", labeled), ("unlabeled", unlabeled)):
        elements.check_first(dataset, name)
    size = _size_of(labeled, unlabeled)
    classes = _count_classes(labeled)
    images = _count(unlabeled)
    rows = batch_size * unlabeled_ratio
    if images < rows:
        raise ValueError(
            f"`unlabeled` has {images} images and a batch takes {batch_size} * {unlabeled_ratio} = "
            f"{rows}: no full batch is left. Use a smaller `batch_size` or `unlabeled_ratio`."
        )
    buffers = shuffle_buffer_size(labeled), shuffle_buffer_size(unlabeled)
    weak = trace_once(weak or fixmatch_weak(size))
    strong = trace_once(strong or fixmatch_strong(size))

    def one_epoch(epoch, first):
        many = shuffle_epoch(unlabeled.enumerate(), buffers[1], [seed, UNLABELED], epoch)
        passes = tf.data.Dataset.range(2**31).flat_map(
            lambda i: shuffle_epoch(labeled, buffers[0], [seed, LABELED], epoch, i)
        )
        both = tf.data.Dataset.zip(
            passes.batch(batch_size, drop_remainder=True), many.batch(rows, drop_remainder=True)
        )
        both = both.enumerate().skip(first)
        return both.map(lambda position, batches: (epoch, position, *batches))

    def make(epoch, position, with_labels, without):
        images, labels = with_labels
        index, rest = without
        images = elements.assert_images(images, position)
        many = elements.assert_images(rest[0], position)
        found = {
            "labeled": weak(images, fold_in([seed, LABELED_VIEW], epoch, position)),
            "weak": weak(many, fold_in([seed, WEAK_VIEW], epoch, position)),
            "strong": strong(many, fold_in([seed, STRONG_VIEW], epoch, position)),
            "index": index,
        }
        if len(rest) > 1:
            found["unlabeled_labels"] = tf.cast(rest[1], tf.int64)
        return found, tf.cast(labels, tf.int64)

    def made(first, passes):
        source = epoch_counter.epoch_source(
            epoch_counter.EpochCounter(DatasetInfo(classes, images)), passes
        )
        ordered = source.flat_map(lambda epoch: one_epoch(epoch, first))
        ready = map_in_parallel(ordered, make)
        return ready if passes > 1 else assert_cardinality(ready, images // rows - first)

    return epoch_counter.attach_factory(made)


def _size_of(labeled, unlabeled):
    shapes = [dataset.element_spec[0].shape for dataset in (labeled, unlabeled)]
    for name, shape in zip(("labeled", "unlabeled"), shapes, strict=True):
        if not shape.is_fully_defined():
            raise ValueError(
                f"`{name}` has images of shape {shape}, and they must be of one size: load them "
                "with keras_ssl.data.load(..., image_size=SIDE), or resize them."
            )
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"`labeled` has images of shape {shapes[0]} and `unlabeled` of {shapes[1]}: they must "
            "be of one shape."
        )
    return tuple(shapes[0][:2])


def _count(unlabeled):
    """Number of unlabeled images, counted where the data set does not say."""
    images = int(unlabeled.cardinality())
    if images == tf.data.INFINITE_CARDINALITY:
        raise ValueError("`unlabeled` repeats forever: give it without its repeat().")
    if images < 0:
        images = int(unlabeled.reduce(np.int64(0), lambda count, *_: count + 1))
    if images == 0:
        raise ValueError("`unlabeled` is empty: there is no image to learn from without a label.")
    return images


def _count_classes(labeled):
    """Reads all labels of the labeled images and returns how many there are of each class."""
    if elements.is_endless(labeled):
        raise ValueError("`labeled` repeats forever: give it without its repeat().")
    labels = list(labeled.map(lambda _, label: label).as_numpy_iterator())
    if not labels:
        raise ValueError("`labeled` is empty: at least one image of each class needs a label.")
    classes, counts = np.unique(np.array(labels), return_counts=True)
    if classes[0] < 0:
        raise ValueError(f"`labeled` must have labels from 0 on, received {int(classes[0])}.")
    return {int(label): int(count) for label, count in zip(classes, counts, strict=True)}
