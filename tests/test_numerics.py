import keras
import numpy as np
import pytest
from gradients import gradients
from keras import ops
from keras.backend import standardize_dtype

from keras_ssl import numerics

ROWS = np.random.default_rng(3).normal(size=(6, 4))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("bool", "float32"),
        ("int32", "float32"),
        ("float16", "float32"),
        ("bfloat16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
    ],
)
def test_as_float_keeps_float64_and_casts_the_rest_to_float32(dtype, expected):
    tensor = numerics.as_float(ops.cast([0, 1], dtype))
    assert standardize_dtype(tensor.dtype) == expected
    np.testing.assert_array_equal(tensor, [0, 1])


@pytest.mark.parametrize("x", ["cat", None, object(), np.array(["a", "b"]), np.array([1j])])
def test_as_float_rejects_what_is_no_tensor_of_numbers(x):
    with pytest.raises(TypeError, match="`z` must be a tensor of numbers, received"):
        numerics.as_float(x, "z")


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_mean_computes_in_float64(axis):
    mean = numerics.mean(ops.convert_to_tensor(ROWS), axis)
    assert standardize_dtype(mean.dtype) == "float64"
    np.testing.assert_allclose(mean, ROWS.mean(axis=axis), rtol=1e-14)


def test_l2_normalize_scales_rows_to_length_one():
    rows = numerics.l2_normalize(ops.convert_to_tensor(np.stack([ROWS, 1e3 * ROWS])))
    expected = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    np.testing.assert_allclose(rows, np.stack([expected, expected]), rtol=1e-12)


def test_l2_normalize_keeps_zeros_and_has_a_finite_gradient_there():
    zeros = np.zeros((2, 4), "float32")
    np.testing.assert_array_equal(numerics.l2_normalize(ops.convert_to_tensor(zeros)), zeros)
    [gradient] = gradients(lambda x: ops.sum(numerics.l2_normalize(x)), zeros)
    assert np.all(np.isfinite(gradient))


def test_normalize_rows_scales_rows_to_length_one_and_keeps_zeros():
    rows = numerics.normalize_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_hot_has_the_width_and_dtype_of_the_logits(dtype):
    rows = numerics.one_hot(np.array([2, 0, -1]), ops.zeros((5, 3), dtype))
    assert standardize_dtype(rows.dtype) == dtype
    np.testing.assert_array_equal(rows, [[0, 0, 1], [1, 0, 0], [0, 0, 0]])


def test_cross_entropy_matches_its_definition():
    targets = np.random.default_rng(4).dirichlet(np.ones(4), size=6)
    log_probabilities = ROWS - np.log(np.sum(np.exp(ROWS), axis=1, keepdims=True))
    value = numerics.cross_entropy(*map(ops.convert_to_tensor, (ROWS, targets)))
    expected = -np.mean(np.sum(targets * log_probabilities, axis=1))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(value), expected, rtol=1e-12)
