"""Reading a `tf.data.Dataset` from any epoch and step."""

from keras_ssl.data import epoch_counter


def resume_dataset(dataset, plan):
    """Returns a dataset of ready elements that starts where a run does.

    Args:
        dataset: A `tf.data.Dataset`.
        plan: `sources.EpochPlan`.

    Returns:
        The dataset, and the epoch at which it begins if it continues from epoch to epoch, else
        None.
    """
    if plan.steps_per_epoch is None:
        return epoch_counter.skip_batches(dataset, plan.step), None
    batches = int(dataset.cardinality())
    first = plan.epoch * plan.steps_per_epoch + plan.step
    if not epoch_counter.find_counters(dataset):
        return dataset.repeat().skip(first) if first else dataset, None
    epoch, first = divmod(first, batches) if batches > 0 else (0, first)
    return dataset.repeat().skip(first), epoch
