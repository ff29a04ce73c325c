import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    not_positive,
    unit,
)

from keras_ssl.losses import emp_ssl, emp_ssl_terms, total_coding_rate

VIEWS = np.random.default_rng(10).normal(size=(3, 6, 4))  # views, batch, dim
shapes = pytest.mark.parametrize("z", [VIEWS[0], VIEWS[0].T], ids=["B > D", "B < D"])


def rate_of_the_paper(epsilon):
    """R of section 2, by the singular values, with the scale of the authors' code."""

    def formula(z):
        batch, dim = z.shape
        values = np.linalg.svd(z, compute_uv=False)
        return np.sum([np.log(1 + dim / (batch * epsilon) * each**2) for each in values]) / 2

    return formula


def terms_from_the_paper(epsilon):
    def formula(z):
        views, batch, _ = z.shape
        z = unit(z)
        rate = np.mean([rate_of_the_paper(epsilon)(each) for each in z])
        similarity = 0.0
        for b in range(batch):
            average = np.sum(z[:, b], axis=0) / views
            for v in range(views):
                similarity += z[v, b] @ average / np.linalg.norm(average) / (views * batch)
        return {"coding_rate": rate, "similarity": similarity}

    return formula


def from_the_paper(invariance, epsilon):
    def formula(z):
        terms = terms_from_the_paper(epsilon)(z)
        return -terms["coding_rate"] - invariance * terms["similarity"]

    return formula


@shapes
@pytest.mark.parametrize("epsilon", [0.2, 1.0])
def test_the_coding_rate_matches_the_formula(z, epsilon):
    assert_matches(lambda z: total_coding_rate(z, epsilon), rate_of_the_paper(epsilon), z)


@shapes
def test_the_gradient_of_the_coding_rate_is_the_slope_of_the_formula(z):
    assert_gradient_is_the_slope(total_coding_rate, rate_of_the_paper(0.2), z)


@shapes
def test_the_coding_rate_of_half_precision_is_computed_in_float32(z):
    assert_half_precision_is_computed_in_float32(total_coding_rate, rate_of_the_paper(0.2), 1e4 * z)


def test_the_coding_rate_ignores_a_rotation():
    rotation, _ = np.linalg.qr(np.random.default_rng(11).normal(size=(4, 4)))
    rotated = float(total_coding_rate(VIEWS[0] @ rotation))
    assert rotated == pytest.approx(float(total_coding_rate(VIEWS[0])), rel=1e-12)


@degenerate
def test_degenerate_rows_have_a_finite_coding_rate_and_gradient(rows):
    assert_finite(total_coding_rate, rows)


@pytest.mark.parametrize(("invariance", "epsilon"), [(200.0, 0.2), (1.5, 1.0), (0, 0.2)])
def test_matches_the_formula(invariance, epsilon):
    assert_matches(
        lambda z: emp_ssl(z, invariance, epsilon), from_the_paper(invariance, epsilon), VIEWS
    )


@pytest.mark.parametrize("name", ["coding_rate", "similarity"])
def test_its_terms_are_not_weighted(name):
    assert_matches(
        lambda z: emp_ssl_terms(z, 0.2)[name], lambda z: terms_from_the_paper(0.2)(z)[name], VIEWS
    )


def test_its_gradient_is_the_slope_of_the_formula():
    assert_gradient_is_the_slope(lambda z: emp_ssl(z, 3.0), from_the_paper(3.0, 0.2), VIEWS)


def test_a_collapsed_batch_costs_more_than_a_spread_one_whose_views_agree():
    agreeing = np.stack([VIEWS[0], VIEWS[0]])
    assert float(emp_ssl(np.ones((2, 6, 4)))) > float(emp_ssl(agreeing))


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(emp_ssl, np.stack([rows, rows]))
    assert_finite(emp_ssl, np.stack([rows, SPREAD[: len(rows)]]))
    assert_finite(emp_ssl, np.stack([rows, -rows]))  # whose average is zero


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(emp_ssl, from_the_paper(200, 0.2), 1e4 * VIEWS)


def test_the_order_of_the_views_and_the_length_of_the_rows_change_nothing():
    moved = VIEWS[::-1] * np.arange(1, 7)[:, None]
    assert float(emp_ssl(moved)) == pytest.approx(float(emp_ssl(VIEWS)), rel=1e-12)


def test_names_embeddings_of_the_wrong_rank():
    with pytest.raises(ValueError, match=r"`z` must have shape .*, received \(6, 4\)"):
        emp_ssl(VIEWS[0])
    with pytest.raises(ValueError, match=r"`z` must have shape .*, received \(4,\)"):
        total_coding_rate(VIEWS[0, 0])


@not_positive
def test_names_a_bad_epsilon(number):
    for rate in (lambda: total_coding_rate(VIEWS[0], number), lambda: emp_ssl(VIEWS, 1.0, number)):
        with pytest.raises(ValueError, match="`epsilon` must be a finite number above 0"):
            rate()


def test_names_a_negative_weight():
    with pytest.raises(ValueError, match=r"`invariance` must be .*at least 0"):
        emp_ssl(VIEWS, -1.0)
