"""`index_shuffle` is TensorFlow's permutation, and needs no TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ssl.data.index_shuffle import index_shuffle

SEEDS = [(0, 0), (1, -1), (-(2**31), 2**31 - 1), (123456789, -987654321)]


@pytest.mark.parametrize("size", [2, 3, 50, 1000, 65_536, 65_537, 200_000, 2**21 + 1])
def test_positions_are_those_of_tensorflow(size):
    index = np.unique(np.linspace(0, size - 1, 500).astype("int64"))
    for seed in SEEDS:
        expected = tf.random.experimental.index_shuffle(index, list(seed), size - 1)
        np.testing.assert_array_equal(index_shuffle(index, np.array(seed), size - 1), expected)


@pytest.mark.parametrize("size", [1, 2, 77, 5000])
def test_all_positions_are_a_permutation(size):
    positions = index_shuffle(np.arange(size), np.array([3, 7]), size - 1)
    np.testing.assert_array_equal(np.sort(positions), np.arange(size))
