import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    log_softmax,
    not_positive,
)

from keras_ssl.losses import uda

RNG = np.random.default_rng(13)
WEAK, STRONG = 2 * RNG.normal(size=(2, 12, 4))


def from_the_paper(temperature=0.4, threshold=0.8):
    """Sharpened targets, and images below the threshold counted as zero."""

    def formula(weak, strong):
        total = 0.0
        for q, s in zip(weak, strong, strict=True):
            if np.exp(log_softmax(q)).max() >= threshold:
                total -= np.sum(np.exp(log_softmax(q / temperature)) * log_softmax(s))
        return total / len(weak)

    return formula


def loss_of(*arrays, **kwargs):
    return uda(*arrays, **kwargs)[0]


@pytest.mark.parametrize("case", [{}, {"temperature": 1.0}, {"threshold": 0.5}])
def test_matches_the_formula_and_its_slope_in_the_strong_view_alone(case):
    def loss(*rows):
        return loss_of(*rows, **case)

    assert_matches(loss, from_the_paper(**case), WEAK, STRONG)
    assert_gradient_is_the_slope(loss, from_the_paper(**case), WEAK, STRONG, targets=[0])


def test_the_mask_is_met_before_sharpening():
    _, mask = uda(WEAK, STRONG)
    confidence = np.array([np.exp(log_softmax(row)).max() for row in WEAK])
    np.testing.assert_array_equal(mask, confidence >= 0.8)
    assert 0 < np.sum(mask) < len(WEAK)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(lambda *both: loss_of(*both, threshold=0.0), 1e4 * rows, rows)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(loss_of, from_the_paper(), WEAK, 1e4 * STRONG)


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"weak_logits \(12, 4\), strong_logits \(5, 4\)"):
        uda(WEAK, STRONG[:5])


@not_positive
def test_names_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        uda(WEAK, STRONG, temperature=number)
