"""`keras.utils.PyDataset`s of arrays, which need no TensorFlow."""

import keras
import numpy as np

from keras_ssl.data.index_shuffle import index_shuffle
from keras_ssl.views.base import fold_in
from keras_ssl.views.device import PositionedImages


class ArrayDataset(keras.utils.PyDataset):
    """Batches of ready views `((view_1, ..., view_V)[, labels])`, or of images alone.

    Args:
        views: Tuple of arrays of equal length, or one array.
        labels: Array, or None.
        batch_size: Int.
        seed: Int; the order of an epoch is a function of the seed and the epoch.
        shuffle: Bool.
        drop_last: Bool, whether to drop the last batch if it is not full.
        epoch: Int, the first epoch.
    """

    def __init__(
        self, views, labels, batch_size, *, seed=0, shuffle=False, drop_last=False, epoch=0
    ):
        super().__init__()
        self.views, self.labels, self.batch_size = views, labels, batch_size
        self.seed, self.shuffle, self.drop_last, self.epoch = seed, shuffle, drop_last, epoch
        self.num_images = len(keras.tree.flatten(views)[0])
        self._order = (None, None)  # an epoch and its order

    def __len__(self):
        if self.drop_last:
            return self.num_images // self.batch_size
        return -(-self.num_images // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        # Indices copy the rows, which a slice would not: see `CopiedDataset`.
        rows = self._epoch_order(self.epoch)[start : start + self.batch_size]
        views = keras.tree.map_structure(lambda view: view[rows], self.views)
        return (views,) if self.labels is None else (views, np.asarray(self.labels)[rows])

    def on_epoch_end(self):
        self.epoch += 1

    def _epoch_order(self, epoch):
        """Returns the indices of the images in the order of an epoch."""
        ordered_epoch, order = self._order
        if order is None or (self.shuffle and ordered_epoch != epoch):
            order = self._draw_order(epoch) if self.shuffle else np.arange(self.num_images)
            self._order = (epoch, order)
        return order

    def _draw_order(self, epoch):
        return np.random.default_rng([self.seed % 2**32, epoch]).permutation(self.num_images)


class PositionedArrayDataset(ArrayDataset):
    """Batches `(PositionedImages[, labels])` of arrays, as `data.pipeline.from_arrays` makes them.

    `set_epoch` begins an epoch. Without it, each pass repeats the same one.

    Args:
        images: Array of images.
        labels: Array, or None.
        batch_size: Int.
        phase: Int, `pipeline.TRAINING` or `pipeline.EVALUATION`.
        first: Int, the first batch, counted from that of epoch 0, of data without an end; None
            for data of one epoch.
        **kwargs: See `ArrayDataset`.
    """

    def __init__(self, images, labels, batch_size, phase, first=None, **kwargs):
        super().__init__(images, labels, batch_size, **kwargs)
        self.phase, self.first = phase, first

    @property
    def num_batches(self):
        return len(self) if self.first is None else None

    def __getitem__(self, index):
        epoch = self.epoch
        if self.first is not None:
            epoch, index = divmod(self.first + index, len(self))
        rows = self._epoch_order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        position = np.tile(np.array([self.phase, epoch, index], "int32"), (len(rows), 1))
        images = PositionedImages(self.views[rows], position)
        return (images,) if self.labels is None else (images, np.asarray(self.labels)[rows])

    def set_epoch(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self):
        """Does nothing: Keras also calls it before the first epoch."""

    def _draw_order(self, epoch):
        seed = np.asarray(fold_in([self.seed, self.phase], epoch))
        return index_shuffle(np.arange(self.num_images), seed, self.num_images - 1)


class _WrappedDataset(keras.utils.PyDataset):
    """A dataset that reads another one."""

    def __init__(self, dataset):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset = dataset

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def set_epoch(self, epoch):
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()


class CopiedDataset(_WrappedDataset):
    """A dataset whose arrays nobody else reads.

    TensorFlow uses the memory of the arrays that a `keras.utils.PyDataset` returns, and a training
    step may write its intermediate results into it: on two replicas, later epochs of MAE would
    train on normalized images.
    """

    def __getitem__(self, index):
        return keras.tree.map_structure(_copy, self.dataset[index])


class SkippedDataset(_WrappedDataset):
    """An epoch without its first batches.

    Args:
        dataset: The `keras.utils.PyDataset` of full epochs.
        first: Int, the batch to start with.
    """

    def __init__(self, dataset, first):
        super().__init__(dataset)
        self.first = first

    @property
    def num_batches(self):
        batches = self.dataset.num_batches
        return None if batches is None else batches - self.first

    def __getitem__(self, index):
        return self.dataset[self.first + index]


class ValidatedDataset(_WrappedDataset):
    """A dataset whose batches are all checked.

    Args:
        dataset: A `keras.utils.PyDataset`.
        validate: Function of a batch that raises, or returns it as arrays.
    """

    def __init__(self, dataset, validate):
        super().__init__(dataset)
        self.validate = validate

    def __getitem__(self, index):
        try:
            return self.validate(self.dataset[index])
        except ValueError as error:
            raise ValueError(f"In the batch with index {index}: {error}") from error


def _copy(value):
    return np.array(value) if hasattr(value, "__array__") else value
