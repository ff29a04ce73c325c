import numpy as np
import pytest
from gradients import gradients
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    log_softmax,
)

from keras_ssl.losses import fixmatch, weighted_cross_entropy

RNG = np.random.default_rng(11)
WEAK, STRONG = 4 * RNG.normal(size=(2, 12, 4))


def from_the_paper(threshold=0.95):
    """Equation 4, row by row."""

    def formula(weak, strong):
        total = 0.0
        for q, s in zip(weak, strong, strict=True):
            probabilities = np.exp(log_softmax(q))
            if np.max(probabilities) >= threshold:
                total -= log_softmax(s)[np.argmax(probabilities)]
        return total / len(weak)

    return formula


def loss_of(*arrays, **kwargs):
    return fixmatch(*arrays, **kwargs)[0]


@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.95, 1.1])
def test_matches_the_formula(threshold):
    assert_matches(
        lambda *rows: loss_of(*rows, threshold=threshold), from_the_paper(threshold), WEAK, STRONG
    )


def test_its_threshold_is_that_of_the_paper():
    assert 0 < from_the_paper()(WEAK, STRONG) != from_the_paper(0.9)(WEAK, STRONG)
    assert_matches(loss_of, from_the_paper(), WEAK, STRONG)


def test_the_mask_tells_which_images_reach_the_threshold():
    confidence = [np.exp(log_softmax(row)).max() for row in WEAK]
    _, mask = fixmatch(WEAK, STRONG, threshold=0.8)
    np.testing.assert_array_equal(mask, [each >= 0.8 for each in confidence])
    assert 0 < np.sum(mask) < len(WEAK)


def test_each_image_may_have_a_threshold_of_its_own():
    thresholds = np.where(np.arange(12) < 6, 0.0, 1.1)
    _, mask = fixmatch(WEAK, STRONG, threshold=thresholds)
    np.testing.assert_array_equal(mask, thresholds == 0)


def test_its_gradient_is_the_slope_of_the_formula_in_the_strong_view_alone():
    assert_gradient_is_the_slope(loss_of, from_the_paper(), WEAK, STRONG, targets=[0])


def test_a_masked_image_has_no_gradient():
    _, mask = fixmatch(WEAK, STRONG)
    gradient = gradients(loss_of, WEAK, STRONG)[1]
    np.testing.assert_array_equal(np.any(gradient != 0, axis=1), np.asarray(mask) == 1)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(loss_of, rows, rows)
    assert_finite(lambda *arrays: loss_of(*arrays, threshold=0.0), 1e4 * rows, -1e4 * rows)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(loss_of, from_the_paper(), 50 * WEAK, 1e3 * STRONG)


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"weak_logits \(12, 4\), strong_logits \(6, 5\)"):
        fixmatch(WEAK, SPREAD)


def test_weighted_rows_match_the_formula_and_only_logits_have_a_gradient():
    targets = np.exp(WEAK) / np.exp(WEAK).sum(axis=1, keepdims=True)
    weights = RNG.random(12)

    def formula(logits, targets, weights):
        rows = zip(logits, targets, weights, strict=True)
        return np.mean([-w * np.sum(t * log_softmax(s)) for s, t, w in rows])

    assert_matches(weighted_cross_entropy, formula, STRONG, targets, weights)
    assert_gradient_is_the_slope(
        weighted_cross_entropy, formula, STRONG, targets, weights, targets=[1, 2]
    )
