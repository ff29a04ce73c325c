"""The epoch inside a tf.data pipeline: what makes every draw a function of (seed, epoch, position).

A pipeline that draws starts from a source that yields its epoch each time iteration begins. `fit`
finds the sources of the data set it is given and sets them before each epoch.
"""

import tensorflow as tf


class Epoch:
    """A number that Python sets and a pipeline reads.

    Args:
        facts: What is known of the data, for those who find the epoch; or None.
    """

    def __init__(self, facts=None):
        self.value = 0
        self.facts = facts
        self._goes_on = False

    def go_on_from(self, value):
        """Lets each iteration that begins be the next epoch; None: the one that `value` says."""
        self._goes_on = value is not None
        if self._goes_on:
            self.value = value

    def begin(self):
        """Returns the epoch of an iteration that begins."""
        value = self.value
        self.value += self._goes_on
        return value


def source(epoch):
    """Returns a dataset of one element, the epoch at the time when iteration starts."""
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([epoch.begin()]), output_signature=tf.TensorSpec((), tf.int64)
    )
    dataset.keras_ssl_epoch = epoch
    return dataset


def constant_stream(epoch):
    """Returns an endless dataset of the epoch at the time when iteration starts."""
    return source(epoch).flat_map(lambda value: tf.data.Dataset.from_tensors(value).repeat())


def upstream(dataset):
    """Yields a dataset and all that it is made from."""
    yield dataset
    for parent in dataset._inputs():
        yield from upstream(parent)


def find(dataset):
    """Returns the `Epoch`s that a dataset reads."""
    found = [getattr(part, "keras_ssl_epoch", None) for part in upstream(dataset)]
    return [epoch for epoch in found if epoch is not None]


def with_rest(from_batch):
    """Returns a whole epoch that knows how to begin in its middle, for `rest`.

    Args:
        from_batch: Function of a number of batches to the dataset of those after them.
    """
    dataset = from_batch(0)
    dataset.keras_ssl_rest = from_batch
    return dataset


def rest(dataset, batches):
    """Returns an epoch without its first batches, whose views are not made where that is known."""
    if not batches:
        return dataset
    from_batch = getattr(dataset, "keras_ssl_rest", None)
    return from_batch(batches) if from_batch else dataset.skip(batches)
