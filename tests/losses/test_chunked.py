"""Losses whose similarities are computed in parts: same value, same gradient, less memory."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from gradients import gradients

from keras_ssl import losses

RNG = np.random.default_rng(31)
A, B, OTHERS = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 5)), RNG.normal(size=(9, 5))
LABELS = np.array([0, 1, 0, 2, 1, 0, 3])
LOSSES = {
    "nt_xent": lambda a, b, num_chunks: losses.nt_xent(a, b, 0.3, num_chunks),
    "nnclr": lambda a, b, num_chunks: losses.nnclr(a, b, 0.3, num_chunks),
    "info_nce": lambda a, b, num_chunks: losses.info_nce(a, b, None, 0.3, num_chunks),
    "info_nce, queue": lambda a, b, num_chunks: losses.info_nce(a, b, OTHERS, 0.3, num_chunks),
    "supcon": lambda a, b, num_chunks: losses.supcon(a + b, LABELS, 0.3, num_chunks),
    "clip": lambda a, b, num_chunks: losses.clip(a, b, 3.0, num_chunks),
}


@pytest.mark.parametrize("num_chunks", [2, 3, 7, 50])
@pytest.mark.parametrize("name", LOSSES)
def test_in_blocks_value_and_gradient_are_the_same(name, num_chunks):
    def whole(a, b):
        return LOSSES[name](a, b, 1)

    def in_blocks(a, b):
        return LOSSES[name](a, b, num_chunks)

    close = {"rtol": 1e-12, "atol": 1e-14}
    np.testing.assert_allclose(in_blocks(A, B), whole(A, B), **close)
    for found, expected in zip(gradients(in_blocks, A, B), gradients(whole, A, B), strict=True):
        np.testing.assert_allclose(found, expected, **close)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX knows every size")
@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"supcon"}))
def test_so_they_are_where_the_size_of_the_batch_is_not_known(name):
    open_size = tf.TensorSpec((None, 5), tf.float64)
    in_blocks = tf.function(lambda a, b: LOSSES[name](a, b, 3), [open_size, open_size])
    np.testing.assert_allclose(in_blocks(A, B), LOSSES[name](A, B, 1), rtol=1e-12)


@pytest.mark.parametrize("num_chunks", [0, 1.5, True, "2"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_wrong_number_of_blocks_is_named(name, num_chunks):
    with pytest.raises((TypeError, ValueError), match="`num_chunks`"):
        LOSSES[name](A, B, num_chunks)
