"""Arrays as labeled and unlabeled images, which need no TensorFlow on JAX."""

import dataclasses
import functools
from typing import Any

import keras
import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl.data import elements
from keras_ssl.data.index_shuffle import index_shuffle
from keras_ssl.views.base import fold_in
from keras_ssl.views.device import PositionedImages, compile_views, find_host_views, make_view

# Second half of the seed; self-supervised training and evaluation use 0 and 1.
UNLABELED, LABELED, LABELED_VIEW, WEAK_VIEW, STRONG_VIEW = 2, 3, 4, 5, 6


def are_arrays(x):
    """Returns whether images are an array, or a pair of arrays with labels."""
    parts = x if isinstance(x, (tuple, list)) else (x,)
    return all(hasattr(part, "shape") and not hasattr(part, "element_spec") for part in parts)


def supports_device_views(*views):
    """Returns whether a training step on JAX can make the views."""
    return keras.backend.backend() == "jax" and not find_host_views(views)


class SemiSupervisedArrays:
    """Labeled and unlabeled images in arrays, and which of them each batch holds.

    Args:
        labeled: Pair of arrays, images and labels.
        unlabeled: Array of images, or a pair of images and labels.

    Raises:
        ValueError: If images are no images or labels no labels, or the former differ in shape.
    """

    def __init__(self, labeled, unlabeled):
        self.labeled = _read("labeled", labeled)
        self.unlabeled = _read("unlabeled", unlabeled)
        if len(self.labeled) < 2:
            raise ValueError("`labeled` has no labels: pass a pair of arrays, (images, labels).")
        shapes = [images.shape[1:] for images in (self.labeled[0], self.unlabeled[0])]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "`labeled` and `unlabeled` must have images of one shape, received "
                f"{shapes[0]} and {shapes[1]}."
            )
        self.size, self.labels = shapes[0][:2], self.labeled[1]
        self.num_unlabeled = len(self.unlabeled[0])

    def rows(self, epoch, index, sizes, seed):
        """Returns which images a batch holds: a pair of int64 arrays, labeled and unlabeled.

        Args:
            epoch: Int.
            index: Int, the batch of the epoch.
            sizes: Pair of ints, labeled and unlabeled images in a batch.
            seed: Int.
        """
        steps = [range(index * size, (index + 1) * size) for size in sizes]
        num_labeled = len(self.labels)
        places = [divmod(step, num_labeled) for step in steps[0]]  # a pass and a place in it
        labeled = [
            _labeled_order(num_labeled, seed, LABELED, epoch, number)[place]
            for number, place in places
        ]
        order = _unlabeled_order(self.num_unlabeled, seed, UNLABELED, epoch)
        return np.array(labeled), order[steps[1]]

    def epoch_factory(self, sizes, seed):
        """Returns a function from an epoch and its first batch to a `tf.data.Dataset`.

        Its elements are `(epoch, index, labeled, (positions, unlabeled))`.
        """
        labeled, unlabeled = (
            tuple(tf.convert_to_tensor(array) for array in part)
            for part in (self.labeled, self.unlabeled)
        )

        def find_rows(epoch, index):
            return self.rows(int(epoch), int(index), sizes, seed)

        def make_epoch(epoch, first):
            def gather_batch(index):
                rows = tf.numpy_function(find_rows, (epoch, index), (tf.int64, tf.int64))
                few, many = (
                    tf.ensure_shape(x, (size,)) for x, size in zip(rows, sizes, strict=True)
                )
                images = tuple(tf.gather(array, many) for array in unlabeled)
                return (
                    epoch,
                    index,
                    tuple(tf.gather(array, few) for array in labeled),
                    (many, images),
                )

            return tf.data.Dataset.range(first, self.num_unlabeled // sizes[1]).map(gather_batch)

        return make_epoch


@dataclasses.dataclass(frozen=True)
class SemiSupervisedViews:
    """Makes the views of a batch of images with positions, in a training step.

    Args:
        weak: View of labeled and unlabeled images.
        strong: View of unlabeled images.
        seed: Int.
    """

    weak: Any
    strong: Any
    seed: int

    def __call__(self, element):
        """Returns the element of `semi_supervised` for one of `SemiSupervisedBatches`."""
        parts, labels = element
        parts = dict(parts)
        images = parts.pop("unlabeled")
        parts["labeled"] = make_view(parts["labeled"], self.weak, self.seed, LABELED_VIEW)
        parts["weak"] = make_view(images, self.weak, self.seed, WEAK_VIEW)
        parts["strong"] = make_view(images, self.strong, self.seed, STRONG_VIEW)
        return parts, labels


class SemiSupervisedBatches(keras.utils.PyDataset):
    """The result of `semi_supervised` for arrays if views are made on the device.

    Its batches hold views, as the documentation says. Those of `for_step` are for a training step
    that makes the views: `({"labeled", "unlabeled", "index"[, "unlabeled_labels"]}, labels)`, with
    two `PositionedImages`.

    Args:
        arrays: `SemiSupervisedArrays`.
        sizes: Pair of ints, labeled and unlabeled images in a batch.
        make_views: `SemiSupervisedViews`.
        info: `semi_supervised.DatasetInfo`.
        has_views: Bool, whether batches hold views.
        epoch: Int, the epoch that begins unless `set_epoch` is called.
        first: Int, the first batch, counted from that of epoch 0, of data without an end; None for
            data of one epoch.
    """

    def __init__(self, arrays, sizes, make_views, info, *, has_views=True, epoch=0, first=None):
        super().__init__()
        self.arrays, self.sizes, self.make_views, self.info = arrays, sizes, make_views, info
        self.has_views, self.epoch, self.first = has_views, epoch, first

    def for_step(self, epoch, first=None):
        """Returns the batches without views; see `SemiSupervisedBatches`."""
        parts = self.arrays, self.sizes, self.make_views, self.info
        return SemiSupervisedBatches(*parts, has_views=False, epoch=epoch, first=first)

    def __len__(self):
        return self.info.unlabeled // self.sizes[1]

    @property
    def num_batches(self):
        return len(self) if self.first is None else None

    def __getitem__(self, index):
        epoch = self.epoch
        if self.first is not None:
            epoch, index = divmod(self.first + index, len(self))
        labeled, unlabeled = self.arrays.rows(epoch, index, self.sizes, self.make_views.seed)
        images, labels = (part[labeled] for part in self.arrays.labeled)
        unlabeled_images, *unlabeled_labels = (part[unlabeled] for part in self.arrays.unlabeled)
        parts = {
            "labeled": _positioned(images, LABELED, epoch, index),
            "unlabeled": _positioned(unlabeled_images, UNLABELED, epoch, index),
            "index": unlabeled,
        }
        if unlabeled_labels:
            parts["unlabeled_labels"] = unlabeled_labels[0]
        return self._compiled_views((parts, labels)) if self.has_views else (parts, labels)

    def set_epoch(self, epoch):
        self.epoch = epoch

    @functools.cached_property
    def _compiled_views(self):
        return compile_views(self.make_views)


def _positioned(images, *position):
    return PositionedImages(images, np.tile(np.array(position, "int32"), (len(images), 1)))


def _read(name, arrays):
    """Returns a tuple of images and, if there are any, their labels, as arrays."""
    images, *labels = arrays if isinstance(arrays, (tuple, list)) else (arrays,)
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(
            f"`{name}` must hold images (N, H, W, C), received an array of shape {images.shape}."
        )
    if not len(images):
        raise ValueError(f"`{name}` is empty.")
    elements.check_pixels(images, name)
    if not labels:
        return (images,)
    values = np.asarray(labels[0])
    if values.shape == (len(images), 1):  # as in keras.datasets
        values = values[:, 0]
    if values.shape != (len(images),) or values.dtype.kind not in "iu" or len(labels) > 1:
        raise ValueError(
            f"`{name}` must have one int label for each of {len(images)} images; received labels "
            f"of shape {values.shape} and dtype {values.dtype}."
        )
    return images, values.astype("int64")


def _shuffled_order(num_images, seed, phase, *numbers):
    """Returns a permutation that is a function of the seed and of the epoch: an int64 array."""
    order_seed = np.asarray(fold_in([seed, phase], *numbers))
    return index_shuffle(np.arange(num_images), order_seed, num_images - 1)


# Apart, because a batch of few labeled images takes many passes over them.
_labeled_order = functools.lru_cache(maxsize=8)(_shuffled_order)
_unlabeled_order = functools.lru_cache(maxsize=2)(_shuffled_order)
