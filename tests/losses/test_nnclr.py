import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    log_softmax,
    not_positive,
    unit,
)

from keras_ssl.losses import nnclr

NEAREST, PREDICTED = np.random.default_rng(3).normal(size=(2, 6, 5))


def make_reference(temperature):
    """Returns the cross-entropy of finding prediction i from the neighbor of image i."""

    def reference(nearest, predicted):
        nearest, predicted = unit(nearest), unit(predicted)
        costs = []
        for i in range(len(nearest)):
            logits = [nearest[i] @ row / temperature for row in predicted]
            costs.append(-log_softmax(logits)[i])
        return np.mean(costs)

    return reference


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nnclr_matches_the_paper(temperature):
    assert_matches(
        lambda *rows: nnclr(*rows, temperature), make_reference(temperature), NEAREST, PREDICTED
    )


def test_nnclr_gradient_matches_differences_for_the_prediction_only():
    assert_gradient_matches(
        lambda *rows: nnclr(*rows, 0.3), make_reference(0.3), NEAREST, PREDICTED, targets=[0]
    )


def test_nnclr_is_log_of_the_batch_size_at_collapse():
    equal = np.ones((6, 5))
    assert float(nnclr(equal, equal)) == pytest.approx(np.log(6), rel=1e-12)


def test_nnclr_is_larger_at_collapse_than_for_spread_images_with_equal_views():
    equal = np.ones((6, 5))
    assert float(nnclr(equal, equal)) > float(nnclr(NEAREST, NEAREST))


@degenerate
def test_nnclr_is_finite_for_degenerate_rows(rows):
    assert_finite(nnclr, rows, rows)
    assert_finite(nnclr, SPREAD[: len(rows)], rows)


def test_nnclr_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(
        lambda *rows: nnclr(*rows, 0.01), make_reference(0.01), 1e4 * NEAREST, 1e4 * PREDICTED
    )


def test_nnclr_ignores_the_length_of_rows():
    lengths = np.arange(1, 7)[:, None]
    scaled = float(nnclr(lengths * NEAREST, PREDICTED / lengths))
    assert scaled == pytest.approx(float(nnclr(NEAREST, PREDICTED)), rel=1e-12)


def test_nnclr_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"nearest \(6, 5\), predicted \(5, 5\)"):
        nnclr(NEAREST, PREDICTED[:5])
    with pytest.raises(ValueError, match=r"`nearest` must have shape \(batch, dim\)"):
        nnclr(NEAREST[0], PREDICTED[0])


@not_positive
def test_nnclr_rejects_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        nnclr(NEAREST, PREDICTED, number)
