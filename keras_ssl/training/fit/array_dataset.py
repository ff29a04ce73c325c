"""Batches of arrays without TensorFlow, so that training on ready views needs none."""

import keras
import numpy as np


class ArrayDataset(keras.utils.PyDataset):
    """Batches of ready views `((view_1, ..., view_V)[, labels])`, or of images alone.

    Args:
        views: Tuple of arrays of equal length, or one array.
        labels: Array, or None.
        batch_size: Int.
        seed: Int; the order of an epoch is a function of it and the epoch.
        shuffle: Bool.
        drop_last: Bool, drop the last batch where it is not full.
        epoch: Int, the first epoch.
    """

    def __init__(
        self, views, labels, batch_size, *, seed=0, shuffle=False, drop_last=False, epoch=0
    ):
        super().__init__()
        self.views, self.labels, self.batch_size = views, labels, batch_size
        self.seed, self.shuffle, self.drop_last, self.epoch = seed, shuffle, drop_last, epoch

    def __len__(self):
        images = len(keras.tree.flatten(self.views)[0])
        return images // self.batch_size if self.drop_last else -(-images // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        images = len(keras.tree.flatten(self.views)[0])
        rows = slice(start, min(start + self.batch_size, images))
        if self.shuffle:
            entropy = [self.seed % 2**32, self.epoch]
            rows = np.random.default_rng(entropy).permutation(images)[rows]
        views = keras.tree.map_structure(lambda view: view[rows], self.views)
        return (views,) if self.labels is None else (views, np.asarray(self.labels)[rows])

    def on_epoch_end(self):
        """Goes to the next epoch's order."""
        self.epoch += 1


class SkippedDataset(keras.utils.PyDataset):
    """An epoch without its first batches.

    Args:
        dataset: The `keras.utils.PyDataset` of whole epochs.
        first: Int, the batch that comes first.
    """

    def __init__(self, dataset, first):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset, self.first = dataset, first

    @property
    def num_batches(self):
        """How many are left; None where that is not known."""
        batches = self.dataset.num_batches
        return None if batches is None else batches - self.first

    def __getitem__(self, index):
        return self.dataset[self.first + index]

    def on_epoch_begin(self):
        """As of the dataset."""
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        """As of the dataset."""
        self.dataset.on_epoch_end()
