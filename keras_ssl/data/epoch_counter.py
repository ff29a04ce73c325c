"""Epoch counters: how a tf.data pipeline reads its epoch.

Every draw of a pipeline is a function of (seed, epoch, position). The pipeline starts with a source
that yields the epoch each time iteration begins. `fit` finds the counters of its dataset and sets
them before each epoch.
"""

from keras_ssl import _internals
from keras_ssl import _tensorflow as tf


class EpochCounter:
    """The epoch of a pipeline, set by Python and read by the pipeline.

    Args:
        info: Information on the data for `fit`, such as `semi_supervised.DatasetInfo`, or None.

    Attributes:
        value: Int, the epoch of the next iteration.
    """

    def __init__(self, info=None):
        self.value = 0
        self.info = info
        self._advances = False

    def auto_advance(self, value):
        """Advances the epoch with each iteration, from `value` on; None stops that."""
        self._advances = value is not None
        if self._advances:
            self.value = value

    def begin(self):
        """Returns the epoch of an iteration that begins."""
        value = self.value
        self.value += self._advances
        return value


def epoch_source(counter):
    """Returns a dataset of one element, the epoch, read from the counter when iteration begins."""

    def read_epoch():
        yield counter.begin()

    signature = tf.TensorSpec((), tf.int64)
    dataset = tf.data.Dataset.from_generator(read_epoch, output_signature=signature)
    dataset.keras_ssl_counter = counter
    return dataset


def repeat_epoch(counter):
    """Returns an endless dataset of one epoch, read from the counter when iteration begins."""
    source = epoch_source(counter)
    return source.flat_map(lambda epoch: tf.data.Dataset.from_tensors(epoch).repeat())


def iter_parents(dataset):
    """Yields a dataset and all datasets it is made from."""
    yield dataset
    for parent in _internals.dataset_parents(dataset):
        yield from iter_parents(parent)


def find_counters(dataset):
    """Returns the list of `EpochCounter`s that a dataset reads."""
    counters = [getattr(parent, "keras_ssl_counter", None) for parent in iter_parents(dataset)]
    return [counter for counter in counters if counter is not None]


def attach_factory(factory):
    """Returns a dataset of one epoch that `skip_batches` can rebuild.

    Args:
        factory: Function `first -> dataset`, where `first` is the number of batches to skip.
    """
    dataset = factory(0)
    dataset.keras_ssl_factory = factory
    return dataset


def skip_batches(dataset, batches):
    """Returns an epoch without its first batches; a factory avoids computing their views."""
    if not batches:
        return dataset
    factory = getattr(dataset, "keras_ssl_factory", None)
    return factory(batches) if factory else dataset.skip(batches)


def hide_cardinality(dataset):
    """Returns a dataset of unknown length: Keras restarts one of known length in each epoch."""
    return dataset.filter(lambda *_: True)
