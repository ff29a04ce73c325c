"""`keras.utils.PyDataset`s of arrays, which need no TensorFlow."""

import keras
import numpy as np


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

    def __len__(self):
        if self.drop_last:
            return self.num_images // self.batch_size
        return -(-self.num_images // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        # Indices copy the rows, which a slice would not: see `CopiedDataset`.
        rows = np.arange(start, min(start + self.batch_size, self.num_images))
        if self.shuffle:
            entropy = [self.seed % 2**32, self.epoch]
            rows = np.random.default_rng(entropy).permutation(self.num_images)[rows]
        views = keras.tree.map_structure(lambda view: view[rows], self.views)
        return (views,) if self.labels is None else (views, np.asarray(self.labels)[rows])

    def on_epoch_end(self):
        self.epoch += 1


class _WrappedDataset(keras.utils.PyDataset):
    """A dataset that reads another one."""

    def __init__(self, dataset):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset = dataset

    @property
    def num_batches(self):
        return self.dataset.num_batches

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
