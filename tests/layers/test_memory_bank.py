import numpy as np
import pytest

from keras_ssl.layers import memory_bank

ROWS = np.arange(12.0).reshape(6, 2).astype("float32")


def test_rows_go_in_at_the_front_and_out_at_the_end():
    found = memory_bank.enqueue(ROWS[:4], ROWS[4:])
    np.testing.assert_array_equal(found, ROWS[[4, 5, 0, 1]])


def test_of_more_rows_than_fit_the_first_stay():
    np.testing.assert_array_equal(memory_bank.enqueue(ROWS[:2], ROWS[1:]), ROWS[1:3])


def test_half_precision_rows_take_the_queues_dtype():
    assert memory_bank.enqueue(ROWS[:4], ROWS[4:].astype("float16")).dtype == "float32"


def test_the_nearest_row_has_the_largest_dot_product(rng):
    past, rows = rng.normal(size=(20, 5)), rng.normal(size=(7, 5))
    expected = [past[np.argmax([np.dot(row, other) for other in past])] for row in rows]
    np.testing.assert_array_equal(memory_bank.nearest_neighbor(past, rows), expected)


@pytest.mark.parametrize("seed", [0, -1, 2**31 - 1])
def test_random_rows_have_length_1_and_one_seed_gives_the_same(seed):
    rows = memory_bank.random_unit_vectors(50, 3, seed)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
    np.testing.assert_array_equal(rows, memory_bank.random_unit_vectors(50, 3, seed))
    assert np.abs(rows.mean(axis=0)).max() < 0.4
    assert np.abs(rows - memory_bank.random_unit_vectors(50, 3, 7)).max() > 0.1
