import numpy as np
import pytest

from keras_ssl.layers import memory_bank

ROWS = np.arange(12.0).reshape(6, 2).astype("float32")


def test_enqueue_adds_rows_at_the_front_and_removes_the_last():
    queue = memory_bank.enqueue(ROWS[:4], ROWS[4:])
    np.testing.assert_array_equal(queue, ROWS[[4, 5, 0, 1]])


def test_enqueue_keeps_the_first_of_more_rows_than_fit():
    np.testing.assert_array_equal(memory_bank.enqueue(ROWS[:2], ROWS[1:]), ROWS[1:3])


def test_enqueue_casts_half_precision_rows_to_the_queues_dtype():
    assert memory_bank.enqueue(ROWS[:4], ROWS[4:].astype("float16")).dtype == "float32"


def test_nearest_neighbor_has_the_largest_dot_product(rng):
    queue, rows = rng.normal(size=(20, 5)), rng.normal(size=(7, 5))
    expected = [queue[np.argmax([np.dot(row, other) for other in queue])] for row in rows]
    np.testing.assert_array_equal(memory_bank.nearest_neighbor(queue, rows), expected)


@pytest.mark.parametrize("seed", [0, -1, 2**31 - 1])
def test_random_unit_vectors_have_length_1_and_are_determined_by_the_seed(seed):
    rows = memory_bank.random_unit_vectors(50, 3, seed)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
    np.testing.assert_array_equal(rows, memory_bank.random_unit_vectors(50, 3, seed))
    assert np.abs(rows.mean(axis=0)).max() < 0.4
    assert np.abs(rows - memory_bank.random_unit_vectors(50, 3, 7)).max() > 0.1
