"""What tf.data does by itself to a pipeline, left out where it costs more than it brings."""

import tensorflow as tf


def without_autotune(dataset):
    """Returns a dataset, and all made from it, that runs on as many cores as it is told.

    TensorFlow's own tuning sleeps between its turns, each time twice as long, up to a minute, and
    at times the end of an iteration does not wake it: then one of 5 seconds ends after 10. It also
    takes minutes to find that all of two cores should work.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
