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

from keras_ssl.losses import byol, negative_cosine

P, Z = np.random.default_rng(4).normal(size=(2, 6, 5))


def simsiam_formula(p, z):
    """Equation 1 of SimSiam, over the batch."""
    return -np.mean(
        [p[i] @ z[i] / np.linalg.norm(p[i]) / np.linalg.norm(z[i]) for i in range(len(p))]
    )


def byol_formula(p, z):
    """Equation 2 of BYOL before it is expanded: squared distance of the normalized rows."""
    return np.mean(np.sum((unit(p) - unit(z)) ** 2, axis=1))


both = pytest.mark.parametrize(
    ("loss", "formula"), [(negative_cosine, simsiam_formula), (byol, byol_formula)]
)


@both
def test_matches_the_formula(loss, formula):
    assert_matches(loss, formula, P, Z)


@both
def test_its_gradient_is_the_slope_of_the_formula_in_the_prediction_alone(loss, formula):
    assert_gradient_is_the_slope(loss, formula, P, Z, targets=[1])


@pytest.mark.parametrize(
    ("loss", "agree", "opposite"), [(negative_cosine, -1.0, 1.0), (byol, 0.0, 4.0)]
)
def test_spans_the_range_of_the_cosine(loss, agree, opposite):
    assert float(loss(P, 3 * P)) == pytest.approx(agree, abs=1e-12)
    assert float(loss(P, -P)) == pytest.approx(opposite, abs=1e-12)


@both
@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(loss, formula, rows):
    assert_finite(loss, rows, rows)
    assert_finite(loss, rows, SPREAD[: len(rows)])


@both
def test_half_precision_is_computed_in_float32(loss, formula):
    assert_half_precision_is_computed_in_float32(loss, formula, 1e4 * P, 1e4 * Z)


@both
def test_the_length_of_the_rows_changes_nothing(loss, formula):
    lengths = np.arange(1, 7)[:, None]
    assert float(loss(lengths * P, Z / lengths)) == pytest.approx(float(loss(P, Z)), rel=1e-12)


@pytest.mark.parametrize("loss", [negative_cosine, byol])
def test_names_both_shapes_when_they_differ(loss):
    with pytest.raises(ValueError, match=r"p \(6, 5\), z \(5, 5\)"):
        loss(P, Z[:5])
    with pytest.raises(ValueError, match=r"`p` must have shape \(batch, dim\)"):
        loss(P[0], Z[0])
