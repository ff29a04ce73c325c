"""The epoch inside a tf.data pipeline: what makes every draw a function of (seed, epoch, position).

A pipeline that draws starts from a source that yields its epoch each time iteration begins. `fit`
finds the sources of the data set it is given and sets them before each epoch.
"""

import tensorflow as tf


class EpochCounter:
    """A number that Python sets and a pipeline reads.

    Args:
        info: What is known of the data, for those who find the epoch; or None.
    """

    def __init__(self, info=None):
        self.value = 0
        self.info = info
        self._goes_on = False

    def auto_advance(self, value):
        """Lets each iteration that begins be the next epoch; None: the one that `value` says."""
        self._goes_on = value is not None
        if self._goes_on:
            self.value = value

    def begin(self):
        """Returns the epoch of an iteration that begins."""
        value = self.value
        self.value += self._goes_on
        return value


def epoch_source(epoch, passes=1):
    """Returns a dataset of the epoch at the time when iteration starts, or of several in a row."""
    dataset = tf.data.Dataset.from_generator(
        lambda: (epoch.begin() for _ in range(passes)),
        output_signature=tf.TensorSpec((), tf.int64),
    )
    dataset.keras_ssl_epoch = epoch
    return dataset


def repeat_epoch(epoch):
    """Returns an endless dataset of the epoch at the time when iteration starts."""
    return epoch_source(epoch).flat_map(lambda value: tf.data.Dataset.from_tensors(value).repeat())


def iter_parents(dataset):
    """Yields a dataset and all that it is made from."""
    yield dataset
    for parent in dataset._inputs():
        yield from iter_parents(parent)


def find_counters(dataset):
    """Returns the `Epoch`s that a dataset reads."""
    found = [getattr(part, "keras_ssl_epoch", None) for part in iter_parents(dataset)]
    return [epoch for epoch in found if epoch is not None]


def attach_factory(made):
    """Returns a whole epoch that knows how to begin in its middle, and several epochs in a row.

    Args:
        made: Function of how many batches are left out at the beginning, and of how many epochs
            follow one another, to a dataset.
    """
    dataset = made(0, 1)
    dataset.keras_ssl_made = made
    return dataset


def skip_batches(dataset, batches):
    """Returns an epoch without its first batches, whose views are not made where that is known."""
    if not batches:
        return dataset
    made = getattr(dataset, "keras_ssl_made", None)
    return made(batches, 1) if made else dataset.skip(batches)


def chain_epochs(dataset, passes):
    """Returns several epochs as one dataset, each the next one; None where that is not known."""
    made = getattr(dataset, "keras_ssl_made", None)
    return made and made(0, passes)


def hide_cardinality(dataset):
    """Returns a dataset that does not know its length: Keras begins anew one that does."""
    return dataset.filter(lambda *_: True)
