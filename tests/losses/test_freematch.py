import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    log_softmax,
)

from keras_ssl.losses import fairness

RNG = np.random.default_rng(15)
STRONG = 2 * RNG.normal(size=(12, 4))
MASK = (np.arange(12) % 3 > 0).astype("float64")
EXPECTED = np.array([0.4, 0.3, 0.2, 0.1])
HISTOGRAM = np.array([0.1, 0.2, 0.3, 0.4])


def from_the_paper(strong, mask, expected, histogram):
    """Equations 10 to 13: the negative cross-entropy of two normalized distributions."""
    kept = [np.exp(log_softmax(row)) for row, used in zip(strong, mask, strict=True) if used]
    counts = np.bincount([np.argmax(row) for row in kept], minlength=4) / len(kept)
    scaled = np.where(counts > 0, np.mean(kept, axis=0) / np.where(counts > 0, counts, 1), 0)
    found = scaled / scaled.sum()
    target = (expected / histogram) / np.sum(expected / histogram)
    return np.sum(target * np.log(found + 1e-12))


ARRAYS = (STRONG, MASK, EXPECTED, HISTOGRAM)


def test_matches_the_formula_and_its_slope_in_the_strong_view_alone():
    assert_matches(fairness, from_the_paper, *ARRAYS)
    assert_gradient_is_the_slope(fairness, from_the_paper, *ARRAYS, targets=[1, 2, 3])


def test_is_zero_where_no_image_counts():
    assert_finite(fairness, STRONG, 0 * MASK, EXPECTED, HISTOGRAM)
    assert float(fairness(STRONG, 0 * MASK, EXPECTED, HISTOGRAM)) == 0


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    uniform = np.full(5, 0.2, "float32")
    assert_finite(fairness, 1e4 * rows, np.ones(len(rows), "float32"), uniform, uniform)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(fairness, from_the_paper, *ARRAYS)


def test_names_what_are_no_logits():
    with pytest.raises(ValueError, match=r"`strong_logits` must have shape \(batch, dim\)"):
        fairness(STRONG[0], MASK, EXPECTED, HISTOGRAM)
