import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
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


def reference_loss(strong, mask, expected, histogram):
    """Computes equations 10 to 13: the negative cross-entropy of two normalized distributions."""
    used = [np.exp(log_softmax(row)) for row, m in zip(strong, mask, strict=True) if m]
    counts = np.bincount([np.argmax(row) for row in used], minlength=4) / len(used)
    scaled = np.where(counts > 0, np.mean(used, axis=0) / np.where(counts > 0, counts, 1), 0)
    predicted = scaled / scaled.sum()
    target = (expected / histogram) / np.sum(expected / histogram)
    return np.sum(target * np.log(predicted + 1e-12))


ARRAYS = (STRONG, MASK, EXPECTED, HISTOGRAM)


def test_fairness_and_its_gradient_for_the_strong_view_match_the_paper():
    assert_matches(fairness, reference_loss, *ARRAYS)
    assert_gradient_matches(fairness, reference_loss, *ARRAYS, targets=[1, 2, 3])


def test_fairness_is_zero_if_no_image_is_used():
    assert_finite(fairness, STRONG, 0 * MASK, EXPECTED, HISTOGRAM)
    assert float(fairness(STRONG, 0 * MASK, EXPECTED, HISTOGRAM)) == 0


@degenerate
def test_fairness_is_finite_for_degenerate_rows(rows):
    uniform = np.full(5, 0.2, "float32")
    assert_finite(fairness, 1e4 * rows, np.ones(len(rows), "float32"), uniform, uniform)


def test_fairness_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(fairness, reference_loss, *ARRAYS)


def test_fairness_rejects_logits_that_are_no_matrix():
    with pytest.raises(ValueError, match=r"`strong_logits` must have shape \(batch, dim\)"):
        fairness(STRONG[0], MASK, EXPECTED, HISTOGRAM)
