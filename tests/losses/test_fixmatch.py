import numpy as np
import pytest
from gradients import gradients
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    log_softmax,
)

from keras_ssl.losses import fixmatch, weighted_cross_entropy

RNG = np.random.default_rng(11)
WEAK, STRONG = 4 * RNG.normal(size=(2, 12, 4))


def make_reference(threshold=0.95):
    """Returns equation 4, one row at a time."""

    def reference(weak, strong):
        total = 0.0
        for q, s in zip(weak, strong, strict=True):
            probabilities = np.exp(log_softmax(q))
            if np.max(probabilities) >= threshold:
                total -= log_softmax(s)[np.argmax(probabilities)]
        return total / len(weak)

    return reference


def loss_of(*arrays, **kwargs):
    return fixmatch(*arrays, **kwargs)[0]


@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.95, 1.1])
def test_fixmatch_matches_the_paper(threshold):
    assert_matches(
        lambda *rows: loss_of(*rows, threshold=threshold), make_reference(threshold), WEAK, STRONG
    )


def test_fixmatch_defaults_to_the_threshold_of_the_paper():
    assert 0 < make_reference()(WEAK, STRONG) != make_reference(0.9)(WEAK, STRONG)
    assert_matches(loss_of, make_reference(), WEAK, STRONG)


def test_fixmatch_mask_selects_images_that_reach_the_threshold():
    confidence = [np.exp(log_softmax(row)).max() for row in WEAK]
    _, mask = fixmatch(WEAK, STRONG, threshold=0.8)
    np.testing.assert_array_equal(mask, np.array(confidence) >= 0.8)
    assert 0 < np.sum(mask) < len(WEAK)


def test_fixmatch_mask_includes_a_confidence_equal_to_the_threshold():
    uniform = np.zeros((3, 4))  # a confidence of exactly 1 / 4
    _, mask = fixmatch(uniform, uniform, threshold=0.25)
    np.testing.assert_array_equal(mask, np.ones(3))


def test_fixmatch_accepts_a_threshold_for_each_image():
    thresholds = np.where(np.arange(12) < 6, 0.0, 1.1)
    _, mask = fixmatch(WEAK, STRONG, threshold=thresholds)
    np.testing.assert_array_equal(mask, thresholds == 0)


def test_fixmatch_gradient_matches_differences_for_the_strong_view_only():
    assert_gradient_matches(loss_of, make_reference(), WEAK, STRONG, targets=[0])


def test_fixmatch_has_no_gradient_for_masked_images():
    _, mask = fixmatch(WEAK, STRONG)
    gradient = gradients(loss_of, WEAK, STRONG)[1]
    np.testing.assert_array_equal(np.any(gradient != 0, axis=1), np.asarray(mask) == 1)


@degenerate
def test_fixmatch_is_finite_for_degenerate_rows(rows):
    assert_finite(loss_of, rows, rows)
    assert_finite(lambda *arrays: loss_of(*arrays, threshold=0.0), 1e4 * rows, -1e4 * rows)


def test_fixmatch_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(loss_of, make_reference(), 50 * WEAK, 1e3 * STRONG)


def test_fixmatch_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"weak_logits \(12, 4\), strong_logits \(6, 5\)"):
        fixmatch(WEAK, SPREAD)


def test_weighted_cross_entropy_and_its_gradient_for_the_logits_match_the_definition():
    targets = np.exp(WEAK) / np.exp(WEAK).sum(axis=1, keepdims=True)
    weights = RNG.random(12)

    def reference(logits, targets, weights):
        rows = zip(logits, targets, weights, strict=True)
        return np.mean([-w * np.sum(t * log_softmax(s)) for s, t, w in rows])

    assert_matches(weighted_cross_entropy, reference, STRONG, targets, weights)
    assert_gradient_matches(
        weighted_cross_entropy, reference, STRONG, targets, weights, targets=[1, 2]
    )
