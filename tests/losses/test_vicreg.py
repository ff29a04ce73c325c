import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
)

from keras_ssl.losses import vicreg, vicreg_terms

Z1, Z2 = np.random.default_rng(6).normal(size=(2, 6, 5)) + 1
# Features of standard deviation above 1 that are not correlated at all.
DECORRELATED = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def terms_from_the_paper(z1, z2):
    """Equations 1 to 5 as algorithm 1 weighs them, feature by feature."""
    batch, dim = z1.shape
    terms = {"invariance": np.sum((z1 - z2) ** 2) / (batch * dim), "variance": 0, "covariance": 0}
    for z in (z1, z2):
        z = z - z.mean(axis=0)
        for i in range(dim):
            for j in range(dim):
                covariance = z[:, i] @ z[:, j] / (batch - 1)
                if i != j:
                    terms["covariance"] += covariance**2 / dim
                else:
                    terms["variance"] += max(0, 1 - np.sqrt(covariance + 1e-4)) / dim / 2
    return terms


def from_the_paper(invariance, variance, covariance):
    def formula(z1, z2):
        terms = terms_from_the_paper(z1, z2)
        return (
            invariance * terms["invariance"]
            + variance * terms["variance"]
            + covariance * terms["covariance"]
        )

    return formula


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 3, 0.5)])
def test_matches_the_formula(weights):
    assert_matches(lambda *z: vicreg(*z, *weights), from_the_paper(*weights), Z1, Z2)


def test_its_weights_are_those_of_the_paper():
    assert_matches(vicreg, from_the_paper(25, 25, 1), Z1, Z2)


@pytest.mark.parametrize("name", ["invariance", "variance", "covariance"])
def test_its_terms_are_not_weighted(name):
    assert_matches(
        lambda *z: vicreg_terms(*z)[name], lambda *z: terms_from_the_paper(*z)[name], Z1, Z2
    )


def test_its_gradient_is_the_slope_of_the_formula():
    weights = (2, 3, 0.5)
    assert_gradient_is_the_slope(lambda *z: vicreg(*z, *weights), from_the_paper(*weights), Z1, Z2)


def test_a_collapsed_batch_costs_the_whole_hinge_and_a_spread_one_nothing():
    same = np.ones((6, 5))
    assert float(vicreg(same, same)) == pytest.approx(25 * (1 - np.sqrt(1e-4)), rel=1e-12)
    assert float(vicreg(DECORRELATED, DECORRELATED)) == pytest.approx(0.0, abs=1e-12)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(vicreg, rows, rows)
    assert_finite(vicreg, rows, SPREAD[: len(rows)])


def test_a_single_row_has_a_finite_loss_and_gradient():
    assert_finite(vicreg, SPREAD[:1], SPREAD[1:2])


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        vicreg, from_the_paper(25, 25, 1), 3e3 * Z1, 3e3 * Z2
    )


def test_swapping_the_views_changes_nothing():
    assert float(vicreg(Z1, Z2)) == pytest.approx(float(vicreg(Z2, Z1)), rel=1e-12)


def test_a_shift_of_both_views_changes_nothing():
    shift = np.arange(5)
    moved = float(vicreg(Z1 + shift, Z2 + shift))
    assert moved == pytest.approx(float(vicreg(Z1, Z2)), rel=1e-12)


def test_names_both_shapes_when_they_differ():
    for loss in (vicreg, vicreg_terms):
        with pytest.raises(ValueError, match=r"z1 \(6, 5\), z2 \(5, 5\)"):
            loss(Z1, Z2[:5])
        with pytest.raises(ValueError, match=r"`z1` must have shape \(batch, dim\)"):
            loss(Z1[0], Z2[0])


@pytest.mark.parametrize("name", ["invariance", "variance", "covariance"])
def test_names_a_negative_weight(name):
    with pytest.raises(ValueError, match=f"`{name}` must be .*at least 0"):
        vicreg(Z1, Z2, **{name: -1.0})
