import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    not_positive,
    unit,
)

from keras_ssl.losses import emp_ssl, emp_ssl_terms, total_coding_rate

VIEWS = np.random.default_rng(10).normal(size=(3, 6, 4))  # views, batch, dim
shapes = pytest.mark.parametrize("z", [VIEWS[0], VIEWS[0].T], ids=["B > D", "B < D"])


def make_reference_rate(epsilon):
    """Returns R of section 2 by singular values, with the factor of the authors' code."""

    def reference(z):
        batch, dim = z.shape
        values = np.linalg.svd(z, compute_uv=False)
        return np.sum([np.log(1 + dim / (batch * epsilon) * value**2) for value in values]) / 2

    return reference


def make_reference_terms(epsilon):
    def reference(z):
        views, batch, _ = z.shape
        z = unit(z)
        rate = np.mean([make_reference_rate(epsilon)(view) for view in z])
        similarity = 0.0
        for b in range(batch):
            average = np.sum(z[:, b], axis=0) / views
            for v in range(views):
                similarity += z[v, b] @ average / np.linalg.norm(average) / (views * batch)
        return {"coding_rate": rate, "similarity": similarity}

    return reference


def make_reference(invariance, epsilon):
    def reference(z):
        terms = make_reference_terms(epsilon)(z)
        return -terms["coding_rate"] - invariance * terms["similarity"]

    return reference


@shapes
@pytest.mark.parametrize("epsilon", [0.2, 1.0])
def test_coding_rate_matches_the_paper(z, epsilon):
    assert_matches(lambda z: total_coding_rate(z, epsilon), make_reference_rate(epsilon), z)


@shapes
def test_coding_rate_gradient_matches_differences(z):
    assert_gradient_matches(total_coding_rate, make_reference_rate(0.2), z)


@shapes
def test_coding_rate_computes_half_precision_in_float32(z):
    assert_half_precision_uses_float32(total_coding_rate, make_reference_rate(0.2), 1e4 * z)


def test_coding_rate_ignores_a_rotation():
    rotation, _ = np.linalg.qr(np.random.default_rng(11).normal(size=(4, 4)))
    rotated = float(total_coding_rate(VIEWS[0] @ rotation))
    assert rotated == pytest.approx(float(total_coding_rate(VIEWS[0])), rel=1e-12)


@degenerate
def test_coding_rate_is_finite_for_degenerate_rows(rows):
    assert_finite(total_coding_rate, rows)


@pytest.mark.parametrize(("invariance", "epsilon"), [(200.0, 0.2), (1.5, 1.0), (0, 0.2)])
def test_emp_ssl_matches_the_paper(invariance, epsilon):
    assert_matches(
        lambda z: emp_ssl(z, invariance, epsilon), make_reference(invariance, epsilon), VIEWS
    )


@pytest.mark.parametrize("name", ["coding_rate", "similarity"])
def test_emp_ssl_terms_are_unweighted(name):
    assert_matches(
        lambda z: emp_ssl_terms(z, 0.2)[name], lambda z: make_reference_terms(0.2)(z)[name], VIEWS
    )


def test_emp_ssl_gradient_matches_differences():
    assert_gradient_matches(lambda z: emp_ssl(z, 3.0), make_reference(3.0, 0.2), VIEWS)


def test_emp_ssl_is_larger_at_collapse_than_for_spread_images_with_equal_views():
    agreeing = np.stack([VIEWS[0], VIEWS[0]])
    assert float(emp_ssl(np.ones((2, 6, 4)))) > float(emp_ssl(agreeing))


@degenerate
def test_emp_ssl_is_finite_for_degenerate_rows(rows):
    assert_finite(emp_ssl, np.stack([rows, rows]))
    assert_finite(emp_ssl, np.stack([rows, SPREAD[: len(rows)]]))
    assert_finite(emp_ssl, np.stack([rows, -rows]))  # their mean is zero


def test_emp_ssl_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(emp_ssl, make_reference(200, 0.2), 1e4 * VIEWS)


def test_emp_ssl_ignores_the_order_of_views_and_the_length_of_rows():
    moved = VIEWS[::-1] * np.arange(1, 7)[:, None]
    assert float(emp_ssl(moved)) == pytest.approx(float(emp_ssl(VIEWS)), rel=1e-12)


def test_emp_ssl_rejects_projections_of_another_rank():
    with pytest.raises(ValueError, match=r"`z` must have shape .*, received \(6, 4\)"):
        emp_ssl(VIEWS[0])
    with pytest.raises(ValueError, match=r"`z` must have shape .*, received \(4,\)"):
        total_coding_rate(VIEWS[0, 0])


@not_positive
def test_emp_ssl_rejects_a_bad_epsilon(number):
    for rate in (lambda: total_coding_rate(VIEWS[0], number), lambda: emp_ssl(VIEWS, 1.0, number)):
        with pytest.raises(ValueError, match="`epsilon` must be a finite number above 0"):
            rate()


def test_emp_ssl_rejects_a_negative_weight():
    with pytest.raises(ValueError, match=r"`invariance` must be .*at least 0"):
        emp_ssl(VIEWS, -1.0)
