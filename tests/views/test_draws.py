"""The random numbers of views are those of TensorFlow, on every backend."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ssl.views import draws

SEEDS = np.random.default_rng(0).integers(-(2**31), 2**31, (20, 2)).astype("int32")


@pytest.mark.parametrize("shape", [(1,), (7, 3), (64, 22)])
def test_uniform_is_that_of_tensorflow(shape):
    for seed in SEEDS:
        expected = tf.random.stateless_uniform(shape, seed)
        np.testing.assert_array_equal(draws.uniform(seed, shape), expected)


def test_fold_in_is_that_of_tensorflow():
    for seed, number in zip(SEEDS, SEEDS[::-1, 0], strict=True):
        expected = tf.random.experimental.stateless_fold_in(seed, tf.constant(number))
        np.testing.assert_array_equal(draws.fold_in(seed, number), expected)
