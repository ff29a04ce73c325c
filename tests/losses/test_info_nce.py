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

from keras_ssl.losses import info_nce

RNG = np.random.default_rng(12)
QUERY, KEY = RNG.normal(size=(2, 6, 5))
NEGATIVES = RNG.normal(size=(7, 5))
with_and_without = pytest.mark.parametrize(
    "arrays", [(QUERY, KEY), (QUERY, KEY, NEGATIVES)], ids=["batch", "queue"]
)


def make_reference(temperature):
    """Returns equation 1 of MoCo for a queue, and algorithm 1 of MoCo v3 without one."""

    def reference(query, key, negatives=None):
        query, key = unit(query), unit(key)
        costs = []
        for i in range(len(query)):
            if negatives is None:
                choices, answer = key, i
            else:
                choices, answer = [key[i], *unit(negatives)], 0
            logits = [query[i] @ choice / temperature for choice in choices]
            costs.append(-log_softmax(logits)[answer])
        return np.mean(costs)

    return reference


@with_and_without
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_info_nce_matches_the_paper(arrays, temperature):
    assert_matches(
        lambda *rows: info_nce(*rows, temperature=temperature),
        make_reference(temperature),
        *arrays,
    )


@with_and_without
def test_info_nce_defaults_to_the_temperature_of_moco_v2(arrays):
    assert_matches(info_nce, make_reference(0.2), *arrays)


@with_and_without
def test_info_nce_gradient_matches_differences_for_the_query_only(arrays):
    assert_gradient_matches(info_nce, make_reference(0.2), *arrays, targets=[1, 2])


def test_info_nce_is_log_of_the_number_of_choices_at_collapse():
    equal = np.ones((6, 5))
    assert float(info_nce(equal, equal)) == pytest.approx(np.log(6), rel=1e-12)
    assert float(info_nce(equal, equal, np.ones((7, 5)))) == pytest.approx(np.log(8), rel=1e-12)


@degenerate
def test_info_nce_is_finite_for_degenerate_rows(rows):
    spread = SPREAD[: len(rows)]
    for arrays in [(rows, rows), (rows, spread), (rows, rows, rows), (spread, spread, rows)]:
        assert_finite(info_nce, *arrays)


@with_and_without
def test_info_nce_computes_half_precision_in_float32(arrays):
    assert_half_precision_uses_float32(
        lambda *rows: info_nce(*rows, temperature=0.01),
        make_reference(0.01),
        *(1e4 * array for array in arrays),
    )


def test_info_nce_ignores_the_order_of_the_queue_and_the_length_of_rows():
    moved = float(info_nce(2 * QUERY, 3 * KEY, 4 * NEGATIVES[::-1]))
    assert moved == pytest.approx(float(info_nce(QUERY, KEY, NEGATIVES)), rel=1e-12)


def test_info_nce_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"query \(6, 5\), key \(5, 5\)"):
        info_nce(QUERY, KEY[:5])
    with pytest.raises(ValueError, match=r"`query` must have shape \(batch, dim\)"):
        info_nce(QUERY[0], KEY[0])


@pytest.mark.parametrize("negatives", [NEGATIVES[:, :4], NEGATIVES[0]])
def test_info_nce_rejects_negatives_of_another_shape(negatives):
    with pytest.raises(ValueError, match="`negatives`"):
        info_nce(QUERY, KEY, negatives)


@not_positive
def test_info_nce_rejects_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        info_nce(QUERY, KEY, temperature=number)
