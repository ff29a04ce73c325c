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

from keras_ssl.losses import barlow_twins, barlow_twins_terms

Z1, Z2 = np.random.default_rng(5).normal(size=(2, 6, 5)) * 2 + 1
# Features that are not correlated at all, of mean 0 and variance 1.
DECORRELATED = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def terms_from_the_paper(z1, z2):
    """Equations 1 and 2, feature by feature."""
    z1, z2 = ((z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) for z in (z1, z2))
    batch, dim = z1.shape
    invariance = redundancy = 0.0
    for i in range(dim):
        for j in range(dim):
            correlation = z1[:, i] @ z2[:, j] / batch
            if i == j:
                invariance += (correlation - 1) ** 2
            else:
                redundancy += correlation**2
    return {"invariance": invariance, "redundancy": redundancy}


def from_the_paper(weight):
    def formula(z1, z2):
        terms = terms_from_the_paper(z1, z2)
        return terms["invariance"] + weight * terms["redundancy"]

    return formula


@pytest.mark.parametrize("weight", [0, 0.0051, 1.5])
def test_matches_the_formula(weight):
    assert_matches(lambda *z: barlow_twins(*z, weight), from_the_paper(weight), Z1, Z2)


def test_its_weight_is_that_of_the_paper():
    assert_matches(barlow_twins, from_the_paper(0.0051), Z1, Z2)


@pytest.mark.parametrize("name", ["invariance", "redundancy"])
def test_its_terms_are_not_weighted(name):
    assert_matches(
        lambda *z: barlow_twins_terms(*z)[name], lambda *z: terms_from_the_paper(*z)[name], Z1, Z2
    )


def test_its_gradient_is_the_slope_of_the_formula():
    assert_gradient_is_the_slope(lambda *z: barlow_twins(*z, 0.3), from_the_paper(0.3), Z1, Z2)


def test_is_the_number_of_features_when_collapsed():
    same = np.ones((6, 5))
    assert float(barlow_twins(same, same)) == pytest.approx(5.0, rel=1e-12)


def test_features_that_agree_and_do_not_correlate_cost_nothing():
    assert float(barlow_twins(DECORRELATED, DECORRELATED)) == pytest.approx(0.0, abs=1e-8)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(barlow_twins, rows, rows)
    assert_finite(barlow_twins, rows, SPREAD[: len(rows)])


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        barlow_twins, from_the_paper(0.0051), 3e3 * Z1, 3e3 * Z2
    )


def test_swapping_the_views_changes_nothing():
    assert float(barlow_twins(Z1, Z2)) == pytest.approx(float(barlow_twins(Z2, Z1)), rel=1e-12)


def test_the_scale_and_shift_of_a_feature_change_nothing():
    large = 1e3 * Z1  # so that the 1e-5 beside the variance does not count
    moved = large * np.arange(1, 6) + np.arange(5)
    assert float(barlow_twins(moved, Z2)) == pytest.approx(float(barlow_twins(large, Z2)), rel=1e-8)


def test_names_both_shapes_when_they_differ():
    for loss in (barlow_twins, barlow_twins_terms):
        with pytest.raises(ValueError, match=r"z1 \(6, 5\), z2 \(5, 5\)"):
            loss(Z1, Z2[:5])
        with pytest.raises(ValueError, match=r"`z1` must have shape \(batch, dim\)"):
            loss(Z1[0], Z2[0])


@pytest.mark.parametrize("weight", [-1, -0.1, float("nan")])
def test_names_a_bad_weight(weight):
    with pytest.raises(ValueError, match=r"`redundancy_weight` must be .*at least 0"):
        barlow_twins(Z1, Z2, weight)
