"""Losses that compute similarities in chunks: same value, same gradient."""

import keras
import numpy as np
import pytest
from gradients import gradients

from keras_ssl import losses

RNG = np.random.default_rng(31)
A, B, NEGATIVES = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 5)), RNG.normal(size=(9, 5))
LABELS = np.array([0, 1, 0, 2, 1, 0, 3])
LOSSES = {
    "nt_xent": lambda a, b, num_chunks: losses.nt_xent(a, b, 0.3, num_chunks),
    "nnclr": lambda a, b, num_chunks: losses.nnclr(a, b, 0.3, num_chunks),
    "info_nce": lambda a, b, num_chunks: losses.info_nce(a, b, None, 0.3, num_chunks),
    "info_nce, queue": lambda a, b, num_chunks: losses.info_nce(a, b, NEGATIVES, 0.3, num_chunks),
    "supcon": lambda a, b, num_chunks: losses.supcon(a + b, LABELS, 0.3, num_chunks),
    "clip": lambda a, b, num_chunks: losses.clip(a, b, 3.0, num_chunks),
}


@pytest.mark.parametrize("num_chunks", [2, 3, 7, 50])
@pytest.mark.parametrize("name", LOSSES)
def test_chunks_change_neither_value_nor_gradient(name, num_chunks):
    def in_one(a, b):
        return LOSSES[name](a, b, 1)

    def in_chunks(a, b):
        return LOSSES[name](a, b, num_chunks)

    close = {"rtol": 1e-12, "atol": 1e-14}
    np.testing.assert_allclose(in_chunks(A, B), in_one(A, B), **close)
    pairs = zip(gradients(in_chunks, A, B), gradients(in_one, A, B), strict=True)
    for gradient, expected in pairs:
        np.testing.assert_allclose(gradient, expected, **close)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX shapes are static")
@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"supcon"}))
def test_chunks_do_not_change_the_value_at_an_unknown_batch_size(name):
    import tensorflow as tf

    rows = tf.TensorSpec((None, 5), tf.float64)
    in_chunks = tf.function(lambda a, b: LOSSES[name](a, b, 3), [rows, rows])
    np.testing.assert_allclose(in_chunks(A, B), LOSSES[name](A, B, 1), rtol=1e-12)


@pytest.mark.parametrize(
    ("num_chunks", "error"),
    [(0, ValueError), (1.5, TypeError), (True, TypeError), ("2", TypeError)],
)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_reject_a_bad_number_of_chunks(name, num_chunks, error):
    with pytest.raises(error, match="`num_chunks` must be"):
        LOSSES[name](A, B, num_chunks)
