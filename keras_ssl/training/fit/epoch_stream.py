"""How the epochs of a run follow one another: one by one, or in a row in one data set."""

import keras

from keras_ssl.training.fit.array_dataset import SkippedDataset


def num_batches(data):
    """Batches in an epoch of the data, None where that is not known."""
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches
    batches = int(data.cardinality())
    return batches if batches > 0 else None


def skip_batches(data, batches):
    """Returns an epoch of a `keras.utils.PyDataset` without its first batches."""
    return SkippedDataset(data, batches) if batches else data


def can_stream_epochs(model, steps_per_epoch, batches, passes):
    """Says whether epochs can follow one another in one data set.

    Args:
        model: The method.
        steps_per_epoch: What `fit` received.
        batches: Int, of an epoch; None where that is not known.
        passes: Int, epochs to come.

    Returns:
        The steps of an epoch and the number of epochs in a row; None and 1 where they cannot.
    """
    # Keras cuts an execution of several steps short where a data set ends, and there alone.
    is_even = batches and batches % model.steps_per_execution == 0
    return (batches, passes) if passes > 1 and is_even and not steps_per_epoch else (None, 1)


def resume_dataset(model, dataset, steps_per_epoch, start, passes):
    """Lets a dataset begin where a run does, and go on from epoch to epoch if it knows them.

    Args:
        model: The method.
        dataset: A `tf.data.Dataset` of ready views.
        steps_per_epoch: Int or None.
        start: Pair, the epoch to begin with, and how many of its batches are left out.
        passes: Int, epochs to come.

    Returns:
        The dataset, the epoch at which it begins and the steps of each, as in `Prepared`.
    """
    from keras_ssl.data import epoch_counter

    epoch, first = start
    batches = num_batches(dataset)
    if steps_per_epoch is None:
        steps, passes = can_stream_epochs(model, None, batches, passes)
        row = epoch_counter.chain_epochs(dataset, passes) if steps else None
        if row is None:
            return epoch_counter.skip_batches(dataset, first), None, None
        return row, epoch, steps
    first = epoch * steps_per_epoch + first
    if not epoch_counter.find_counters(dataset):
        return dataset.repeat().skip(first) if first else dataset, None, None
    epoch, made = divmod(first, batches) if batches else (0, first)
    return dataset.repeat().skip(made), epoch, None
