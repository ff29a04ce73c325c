"""What the tests of the losses share: the comparisons with a formula, and the hard batches."""

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
    """Rows of length 1."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def log_softmax(logits):
    """Of one row; its largest entry is taken off first, as the exponential would overflow."""
    logits = logits - np.max(logits)
    return logits - np.log(np.sum(np.exp(logits)))


def assert_matches(loss, formula, *arrays):
    """The loss is the formula, in the precision of its input."""
    expected = formula(*arrays)
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        found = loss(*(each.astype(dtype) for each in arrays))
        assert standardize_dtype(found.dtype) == dtype
        np.testing.assert_allclose(found, expected, rtol=tolerance)


def assert_gradient_is_the_slope(loss, formula, *arrays, targets=()):
    """The gradient is the formula's central difference, and 0 in the `targets` (positions)."""
    step = 1e-6
    for position, gradient in enumerate(gradients(loss, *arrays)):
        if position in targets:
            np.testing.assert_array_equal(gradient, np.zeros_like(gradient))
            continue
        expected = np.zeros_like(gradient)
        for at in np.ndindex(expected.shape):
            ends = []
            for sign in (1, -1):
                moved = [each.copy() for each in arrays]
                moved[position][at] += sign * step
                ends.append(formula(*moved))
            expected[at] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-8)


def assert_finite(loss, *arrays):
    """The value and every gradient are finite."""
    assert np.isfinite(float(loss(*arrays)))
    for gradient in gradients(loss, *arrays):
        assert np.all(np.isfinite(gradient))


def assert_half_precision_is_computed_in_float32(loss, formula, *arrays):
    """Rounding to half precision is all that is lost, whatever the magnitude."""
    for dtype in ("float16", "bfloat16"):
        rounded = [ops.cast(each, dtype) for each in arrays]
        found = loss(*rounded)
        assert standardize_dtype(found.dtype) == "float32"
        exact = [ops.convert_to_numpy(ops.cast(each, "float64")) for each in rounded]
        np.testing.assert_allclose(found, formula(*exact), rtol=1e-4, atol=1e-4)
