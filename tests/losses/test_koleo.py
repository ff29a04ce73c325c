import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    unit,
)

from keras_ssl.losses import koleo

ROWS = np.random.default_rng(22).normal(size=(7, 4))


def from_the_paper(rows):
    """Equation 2, row by row."""
    rows = unit(rows)
    logs = []
    for i, row in enumerate(rows):
        distances = [np.linalg.norm(row - other) for j, other in enumerate(rows) if j != i]
        logs.append(np.log(min(distances)))
    return -np.mean(logs)


def test_matches_the_formula_and_its_slope():
    assert_matches(koleo, from_the_paper, ROWS)
    assert_gradient_is_the_slope(koleo, from_the_paper, ROWS)


def test_rows_that_spread_cost_less_than_equal_ones():
    axes = np.concatenate([np.eye(4), -np.eye(4)])
    assert float(koleo(axes)) == pytest.approx(-0.5 * np.log(2))
    assert float(koleo(np.ones((7, 4)))) > float(koleo(ROWS)) > float(koleo(axes))


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(koleo, rows)


def test_length_counts_for_nothing():
    assert float(koleo(9 * ROWS)) == pytest.approx(float(koleo(ROWS)), rel=1e-12)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(koleo, from_the_paper, 1e3 * ROWS)


def test_names_what_is_no_matrix():
    with pytest.raises(ValueError, match=r"`x` must have shape \(batch, dim\)"):
        koleo(SPREAD[0])
