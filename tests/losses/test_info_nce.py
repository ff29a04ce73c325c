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

from keras_ssl.losses import info_nce

RNG = np.random.default_rng(12)
QUERY, KEY = RNG.normal(size=(2, 6, 5))
NEGATIVES = RNG.normal(size=(7, 5))
with_and_without = pytest.mark.parametrize(
    "arrays", [(QUERY, KEY), (QUERY, KEY, NEGATIVES)], ids=["the batch", "a queue"]
)


def from_the_paper(temperature):
    """Equation 1 of MoCo (a queue of negatives), and algorithm 1 of MoCo v3 (the batch's keys)."""

    def formula(query, key, negatives=None):
        query, key = unit(query), unit(key)
        costs = []
        for i in range(len(query)):
            if negatives is None:
                choices, right = key, i
            else:
                choices, right = [key[i], *unit(negatives)], 0
            logits = [query[i] @ choice / temperature for choice in choices]
            costs.append(-log_softmax(logits)[right])
        return np.mean(costs)

    return formula


@with_and_without
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_matches_the_formula(arrays, temperature):
    assert_matches(
        lambda *rows: info_nce(*rows, temperature=temperature),
        from_the_paper(temperature),
        *arrays,
    )


@with_and_without
def test_its_temperature_is_that_of_moco_v2(arrays):
    assert_matches(info_nce, from_the_paper(0.2), *arrays)


@with_and_without
def test_its_gradient_is_the_slope_of_the_formula_in_the_query_alone(arrays):
    assert_gradient_is_the_slope(info_nce, from_the_paper(0.2), *arrays, targets=[1, 2])


def test_is_log_of_the_number_of_choices_when_collapsed():
    same = np.ones((6, 5))
    assert float(info_nce(same, same)) == pytest.approx(np.log(6), rel=1e-12)
    assert float(info_nce(same, same, np.ones((7, 5)))) == pytest.approx(np.log(8), rel=1e-12)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    spread = SPREAD[: len(rows)]
    for arrays in [(rows, rows), (rows, spread), (rows, rows, rows), (spread, spread, rows)]:
        assert_finite(info_nce, *arrays)


@with_and_without
def test_half_precision_is_computed_in_float32(arrays):
    assert_half_precision_is_computed_in_float32(
        lambda *rows: info_nce(*rows, temperature=0.01),
        from_the_paper(0.01),
        *(1e4 * each for each in arrays),
    )


def test_the_order_of_the_queue_and_the_length_of_the_rows_change_nothing():
    moved = float(info_nce(2 * QUERY, 3 * KEY, 4 * NEGATIVES[::-1]))
    assert moved == pytest.approx(float(info_nce(QUERY, KEY, NEGATIVES)), rel=1e-12)


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"query \(6, 5\), key \(5, 5\)"):
        info_nce(QUERY, KEY[:5])
    with pytest.raises(ValueError, match=r"`query` must have shape \(batch, dim\)"):
        info_nce(QUERY[0], KEY[0])


@pytest.mark.parametrize("negatives", [NEGATIVES[:, :4], NEGATIVES[0]])
def test_names_negatives_that_do_not_fit(negatives):
    with pytest.raises(ValueError, match="`negatives`"):
        info_nce(QUERY, KEY, negatives)


@not_positive
def test_names_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        info_nce(QUERY, KEY, temperature=number)
