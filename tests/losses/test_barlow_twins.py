import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
)

from keras_ssl.losses import barlow_twins, barlow_twins_terms

Z1, Z2 = np.random.default_rng(5).normal(size=(2, 6, 5)) * 2 + 1
# Dimensions without correlation, with mean 0 and variance 1.
DECORRELATED = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def reference_terms(z1, z2):
    """Computes equations 1 and 2, one pair of dimensions at a time."""
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


def make_reference(weight):
    def reference(z1, z2):
        terms = reference_terms(z1, z2)
        return terms["invariance"] + weight * terms["redundancy"]

    return reference


@pytest.mark.parametrize("weight", [0, 0.0051, 1.5])
def test_barlow_twins_matches_the_paper(weight):
    assert_matches(lambda *z: barlow_twins(*z, weight), make_reference(weight), Z1, Z2)


def test_barlow_twins_defaults_to_the_weight_of_the_paper():
    assert_matches(barlow_twins, make_reference(0.0051), Z1, Z2)


@pytest.mark.parametrize("name", ["invariance", "redundancy"])
def test_barlow_twins_terms_are_unweighted(name):
    assert_matches(
        lambda *z: barlow_twins_terms(*z)[name], lambda *z: reference_terms(*z)[name], Z1, Z2
    )


def test_barlow_twins_gradient_matches_differences():
    assert_gradient_matches(lambda *z: barlow_twins(*z, 0.3), make_reference(0.3), Z1, Z2)


def test_barlow_twins_is_the_number_of_dimensions_at_collapse():
    equal = np.ones((6, 5))
    assert float(barlow_twins(equal, equal)) == pytest.approx(5.0, rel=1e-12)


def test_barlow_twins_is_zero_for_equal_views_without_correlation():
    assert float(barlow_twins(DECORRELATED, DECORRELATED)) == pytest.approx(0.0, abs=1e-8)


@degenerate
def test_barlow_twins_is_finite_for_degenerate_rows(rows):
    assert_finite(barlow_twins, rows, rows)
    assert_finite(barlow_twins, rows, SPREAD[: len(rows)])


def test_barlow_twins_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(barlow_twins, make_reference(0.0051), 3e3 * Z1, 3e3 * Z2)


def test_barlow_twins_is_symmetric_in_the_views():
    assert float(barlow_twins(Z1, Z2)) == pytest.approx(float(barlow_twins(Z2, Z1)), rel=1e-12)


def test_barlow_twins_ignores_scale_and_shift_of_a_dimension():
    large = 1e3 * Z1  # so that the 1e-5 added to the variance is negligible
    moved = large * np.arange(1, 6) + np.arange(5)
    assert float(barlow_twins(moved, Z2)) == pytest.approx(float(barlow_twins(large, Z2)), rel=1e-8)


def test_barlow_twins_rejects_different_shapes():
    for loss in (barlow_twins, barlow_twins_terms):
        with pytest.raises(ValueError, match=r"z1 \(6, 5\), z2 \(5, 5\)"):
            loss(Z1, Z2[:5])
        with pytest.raises(ValueError, match=r"`z1` must have shape \(batch, dim\)"):
            loss(Z1[0], Z2[0])


@pytest.mark.parametrize("weight", [-1, -0.1, float("nan")])
def test_barlow_twins_rejects_a_bad_weight(weight):
    with pytest.raises(ValueError, match=r"`redundancy_weight` must be .*at least 0"):
        barlow_twins(Z1, Z2, weight)
