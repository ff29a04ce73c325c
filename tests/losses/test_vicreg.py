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

from keras_ssl.losses import vicreg, vicreg_terms

Z1, Z2 = np.random.default_rng(6).normal(size=(2, 6, 5)) + 1
# Dimensions without correlation, with a standard deviation above 1.
DECORRELATED = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def reference_terms(z1, z2):
    """Computes equations 1 to 5 with the factors of algorithm 1, in loops."""
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


def make_reference(invariance, variance, covariance):
    def reference(z1, z2):
        terms = reference_terms(z1, z2)
        return (
            invariance * terms["invariance"]
            + variance * terms["variance"]
            + covariance * terms["covariance"]
        )

    return reference


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 3, 0.5)])
def test_vicreg_matches_the_paper(weights):
    assert_matches(lambda *z: vicreg(*z, *weights), make_reference(*weights), Z1, Z2)


def test_vicreg_defaults_to_the_weights_of_the_paper():
    assert_matches(vicreg, make_reference(25, 25, 1), Z1, Z2)


@pytest.mark.parametrize("name", ["invariance", "variance", "covariance"])
def test_vicreg_terms_are_unweighted(name):
    assert_matches(lambda *z: vicreg_terms(*z)[name], lambda *z: reference_terms(*z)[name], Z1, Z2)


def test_vicreg_gradient_matches_differences():
    weights = (2, 3, 0.5)
    assert_gradient_matches(lambda *z: vicreg(*z, *weights), make_reference(*weights), Z1, Z2)


def test_vicreg_is_the_full_hinge_at_collapse_and_zero_for_spread_rows():
    equal = np.ones((6, 5))
    assert float(vicreg(equal, equal)) == pytest.approx(25 * (1 - np.sqrt(1e-4)), rel=1e-12)
    assert float(vicreg(DECORRELATED, DECORRELATED)) == pytest.approx(0.0, abs=1e-12)


@degenerate
def test_vicreg_is_finite_for_degenerate_rows(rows):
    assert_finite(vicreg, rows, rows)
    assert_finite(vicreg, rows, SPREAD[: len(rows)])


def test_vicreg_is_finite_for_a_single_row():
    assert_finite(vicreg, SPREAD[:1], SPREAD[1:2])


def test_vicreg_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(vicreg, make_reference(25, 25, 1), 3e3 * Z1, 3e3 * Z2)


def test_vicreg_is_symmetric_in_the_views():
    assert float(vicreg(Z1, Z2)) == pytest.approx(float(vicreg(Z2, Z1)), rel=1e-12)


def test_vicreg_ignores_a_shift_of_both_views():
    shift = np.arange(5)
    moved = float(vicreg(Z1 + shift, Z2 + shift))
    assert moved == pytest.approx(float(vicreg(Z1, Z2)), rel=1e-12)


def test_vicreg_rejects_different_shapes():
    for loss in (vicreg, vicreg_terms):
        with pytest.raises(ValueError, match=r"z1 \(6, 5\), z2 \(5, 5\)"):
            loss(Z1, Z2[:5])
        with pytest.raises(ValueError, match=r"`z1` must have shape \(batch, dim\)"):
            loss(Z1[0], Z2[0])


@pytest.mark.parametrize("name", ["invariance", "variance", "covariance"])
def test_vicreg_rejects_a_negative_weight(name):
    with pytest.raises(ValueError, match=f"`{name}` must be .*at least 0"):
        vicreg(Z1, Z2, **{name: -1.0})
