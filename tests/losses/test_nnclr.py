import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    log_softmax,
    not_positive,
    unit,
)

from keras_ssl.losses import nnclr

NEAREST, PREDICTED = np.random.default_rng(3).normal(size=(2, 6, 5))


def from_the_paper(temperature):
    """Equation 3: the neighbor of image i must find prediction i among all predictions."""

    def formula(nearest, predicted):
        nearest, predicted = unit(nearest), unit(predicted)
        costs = []
        for i in range(len(nearest)):
            logits = [nearest[i] @ each / temperature for each in predicted]
            costs.append(-log_softmax(logits)[i])
        return np.mean(costs)

    return formula


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_matches_the_formula(temperature):
    assert_matches(
        lambda *rows: nnclr(*rows, temperature), from_the_paper(temperature), NEAREST, PREDICTED
    )


def test_its_gradient_is_the_slope_of_the_formula_in_the_prediction_alone():
    assert_gradient_is_the_slope(
        lambda *rows: nnclr(*rows, 0.3), from_the_paper(0.3), NEAREST, PREDICTED, targets=[0]
    )


def test_is_log_of_the_batch_when_collapsed():
    same = np.ones((6, 5))
    assert float(nnclr(same, same)) == pytest.approx(np.log(6), rel=1e-12)


def test_a_collapsed_batch_costs_more_than_a_spread_one_whose_views_agree():
    same = np.ones((6, 5))
    assert float(nnclr(same, same)) > float(nnclr(NEAREST, NEAREST))


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(nnclr, rows, rows)
    assert_finite(nnclr, SPREAD[: len(rows)], rows)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        lambda *rows: nnclr(*rows, 0.01), from_the_paper(0.01), 1e4 * NEAREST, 1e4 * PREDICTED
    )


def test_the_length_of_the_rows_changes_nothing():
    lengths = np.arange(1, 7)[:, None]
    scaled = float(nnclr(lengths * NEAREST, PREDICTED / lengths))
    assert scaled == pytest.approx(float(nnclr(NEAREST, PREDICTED)), rel=1e-12)


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"nearest \(6, 5\), predicted \(5, 5\)"):
        nnclr(NEAREST, PREDICTED[:5])
    with pytest.raises(ValueError, match=r"`nearest` must have shape \(batch, dim\)"):
        nnclr(NEAREST[0], PREDICTED[0])


@not_positive
def test_names_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        nnclr(NEAREST, PREDICTED, number)
