"""Options of tf.data pipelines."""

from keras_ssl import _tensorflow as tf


def without_autotune(dataset):
    """Returns a dataset with tf.data's autotuning off, also in all datasets made from it.

    The thread that tunes sleeps between its runs, each time twice as long, up to a minute. If the
    end of an iteration does not wake it, the iteration ends late: after 10 seconds instead of 5, as
    measured. It also takes minutes to decide that both of two cores should be used.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
