"""Assertions and input batches shared by the tests of losses."""

import numpy as np
import pytest
from gradients import gradients
from keras import ops
from keras.backend import standardize_dtype

SPREAD = np.random.default_rng(7).normal(size=(6, 5)).astype("float32")
degenerate = pytest.mark.parametrize(
    "rows",
    [
        pytest.param(np.ones((6, 5), "float32"), id="equal rows"),
        pytest.param(np.zeros((6, 5), "float32"), id="zeros"),
        pytest.param(SPREAD * np.float32([[0], [0], [0], [1], [1], [1]]), id="some zero rows"),
        pytest.param(SPREAD[:2], id="two rows"),
    ],
)
not_positive = pytest.mark.parametrize("number", [0, -0.1, float("nan")])


def unit(rows):
    """Scales each row to length 1."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def log_softmax(logits):
    """Computes the log-softmax of one row, with its maximum subtracted to avoid an overflow."""
    logits = logits - np.max(logits)
    return logits - np.log(np.sum(np.exp(logits)))


def assert_matches(loss, reference, *arrays):
    """Asserts that a loss equals its reference, in the precision of its input."""
    expected = reference(*arrays)
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        value = loss(*(array.astype(dtype) for array in arrays))
        assert standardize_dtype(value.dtype) == dtype
        np.testing.assert_allclose(value, expected, rtol=tolerance)


def assert_gradient_matches(loss, reference, *arrays, targets=()):
    """Asserts that the gradient equals the central differences of the reference.

    Args:
        loss: Function of the arrays.
        reference: NumPy function of the arrays.
        *arrays: float64 arrays.
        targets: Positions of the arrays that no gradient may reach.
    """
    step = 1e-6
    for position, gradient in enumerate(gradients(loss, *arrays)):
        if position in targets:
            np.testing.assert_array_equal(gradient, np.zeros_like(gradient))
            continue
        expected = np.zeros_like(gradient)
        for index in np.ndindex(expected.shape):
            values = []
            for sign in (1, -1):
                shifted = [array.copy() for array in arrays]
                shifted[position][index] += sign * step
                values.append(reference(*shifted))
            expected[index] = (values[0] - values[1]) / (2 * step)
        np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-8)


def assert_finite(loss, *arrays):
    """Asserts that the value and all gradients are finite."""
    assert np.isfinite(float(loss(*arrays)))
    for gradient in gradients(loss, *arrays):
        assert np.all(np.isfinite(gradient))


def assert_half_precision_uses_float32(loss, reference, *arrays):
    """Asserts that rounding the input to half precision is the only error, at any magnitude."""
    for dtype in ("float16", "bfloat16"):
        rounded = [ops.cast(array, dtype) for array in arrays]
        value = loss(*rounded)
        assert standardize_dtype(value.dtype) == "float32"
        exact = [ops.convert_to_numpy(ops.cast(tensor, "float64")) for tensor in rounded]
        np.testing.assert_allclose(value, reference(*exact), rtol=1e-4, atol=1e-4)
