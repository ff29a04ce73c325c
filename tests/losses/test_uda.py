import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    log_softmax,
    not_positive,
)

from keras_ssl.losses import uda

RNG = np.random.default_rng(13)
WEAK, STRONG = 2 * RNG.normal(size=(2, 12, 4))


def make_reference(temperature=0.4, threshold=0.8):
    """Returns the loss of sharpened targets, where images below the threshold count as 0."""

    def reference(weak, strong):
        total = 0.0
        for q, s in zip(weak, strong, strict=True):
            if np.exp(log_softmax(q)).max() >= threshold:
                total -= np.sum(np.exp(log_softmax(q / temperature)) * log_softmax(s))
        return total / len(weak)

    return reference


def loss_of(*arrays, **kwargs):
    return uda(*arrays, **kwargs)[0]


@pytest.mark.parametrize("case", [{}, {"temperature": 1.0}, {"threshold": 0.5}])
def test_uda_and_its_gradient_for_the_strong_view_match_the_paper(case):
    def loss(*rows):
        return loss_of(*rows, **case)

    assert_matches(loss, make_reference(**case), WEAK, STRONG)
    assert_gradient_matches(loss, make_reference(**case), WEAK, STRONG, targets=[0])


def test_uda_mask_uses_the_confidence_before_sharpening():
    _, mask = uda(WEAK, STRONG)
    confidence = np.array([np.exp(log_softmax(row)).max() for row in WEAK])
    np.testing.assert_array_equal(mask, confidence >= 0.8)
    assert 0 < np.sum(mask) < len(WEAK)


@degenerate
def test_uda_is_finite_for_degenerate_rows(rows):
    assert_finite(lambda *logits: loss_of(*logits, threshold=0.0), 1e4 * rows, rows)


def test_uda_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(loss_of, make_reference(), WEAK, 1e4 * STRONG)


def test_uda_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"weak_logits \(12, 4\), strong_logits \(5, 4\)"):
        uda(WEAK, STRONG[:5])


@not_positive
def test_uda_rejects_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        uda(WEAK, STRONG, temperature=number)
