import numpy as np
import pytest
from gradients import gradients
from keras import ops
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    log_softmax,
    not_positive,
)

from keras_ssl.losses import sinkhorn, swav

RNG = np.random.default_rng(8)
SCORES = RNG.uniform(-1, 1, size=(6, 4))  # cosines, six images and four prototypes
ASSIGNMENTS = RNG.dirichlet(np.ones(4), size=6)


def sinkhorn_of_the_authors(epsilon, iterations):
    """`distributed_sinkhorn` of https://github.com/facebookresearch/swav, loop by loop."""

    def formula(scores):
        q = np.exp(scores / epsilon).T
        prototypes, batch = q.shape
        q = q / q.sum()
        for _ in range(iterations):
            for k in range(prototypes):
                q[k] = q[k] / q[k].sum() / prototypes
            for b in range(batch):
                q[:, b] = q[:, b] / q[:, b].sum() / batch
        return (q * batch).T

    return formula


def swav_formula(temperature):
    """Equation 2, for one view's scores and the other view's assignments."""

    def formula(scores, assignments):
        rows = zip(scores, assignments, strict=True)
        return np.mean([-np.sum(a * log_softmax(s / temperature)) for s, a in rows])

    return formula


@pytest.mark.parametrize(("epsilon", "iterations"), [(0.05, 3), (0.03, 1), (0.5, 10)])
def test_sinkhorn_matches_the_code_of_the_authors(epsilon, iterations):
    assert_matches(
        lambda scores: sinkhorn(scores, epsilon, iterations),
        sinkhorn_of_the_authors(epsilon, iterations),
        SCORES,
    )


def test_sinkhorn_fills_the_prototypes_equally_in_the_end():
    found = np.asarray(sinkhorn(SCORES, 0.5, 200))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), 6 / 4, rtol=1e-9)


def test_sinkhorn_passes_no_gradient():
    [found] = gradients(lambda scores: ops.sum(sinkhorn(scores) * ASSIGNMENTS), SCORES)
    np.testing.assert_array_equal(found, np.zeros((6, 4)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_sinkhorn_of_large_scores_does_not_overflow(dtype):
    found = np.asarray(sinkhorn(ops.cast(1000 * np.eye(4), dtype)))
    np.testing.assert_allclose(found, np.eye(4, dtype="float32"), atol=1e-6)
    mixed = np.asarray(sinkhorn(ops.cast(1000 * SCORES, dtype)))
    np.testing.assert_allclose(mixed.sum(axis=1), np.ones(6, "float32"), rtol=1e-5)


@degenerate
def test_sinkhorn_shares_equal_scores_out_and_stays_finite(rows):
    found = np.asarray(sinkhorn(rows))
    np.testing.assert_allclose(found.sum(axis=1), np.ones(len(rows)), rtol=1e-5)
    if np.ptp(rows) == 0:
        np.testing.assert_allclose(found, np.full(rows.shape, 1 / 5), rtol=1e-5)


def test_sinkhorn_ignores_the_level_of_a_prototype():
    moved = sinkhorn(SCORES + np.array([0, 3, -1, 0.5]))
    np.testing.assert_allclose(moved, sinkhorn(SCORES), rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_swav_matches_the_formula(temperature):
    assert_matches(
        lambda *rows: swav(*rows, temperature), swav_formula(temperature), SCORES, ASSIGNMENTS
    )


def test_the_gradient_of_swav_is_the_slope_of_the_formula_in_the_scores_alone():
    assert_gradient_is_the_slope(swav, swav_formula(0.1), SCORES, ASSIGNMENTS, targets=[1])


@degenerate
def test_degenerate_rows_have_a_finite_swav_loss_and_gradient(rows):
    assert_finite(lambda scores: swav(scores, sinkhorn(rows)), rows)
    assert_finite(lambda scores: swav(scores, sinkhorn(SPREAD[: len(rows)])), rows)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        lambda *rows: swav(*rows, 0.01), swav_formula(0.01), 1e3 * SCORES, ASSIGNMENTS
    )


def test_swav_ignores_the_level_of_a_row():
    moved = float(swav(SCORES + np.arange(6)[:, None], ASSIGNMENTS))
    assert moved == pytest.approx(float(swav(SCORES, ASSIGNMENTS)), rel=1e-12)


def test_swav_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"scores \(6, 4\), assignments \(5, 4\)"):
        swav(SCORES, ASSIGNMENTS[:5])
    with pytest.raises(ValueError, match="`scores` must have shape"):
        swav(SCORES[0], ASSIGNMENTS[0])


def test_sinkhorn_names_scores_that_are_no_rows():
    with pytest.raises(ValueError, match=r"`scores` must have shape .*, received \(4,\)"):
        sinkhorn(SCORES[0])


@not_positive
def test_names_a_bad_temperature_or_epsilon(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        swav(SCORES, ASSIGNMENTS, number)
    with pytest.raises(ValueError, match="`epsilon` must be a finite number above 0"):
        sinkhorn(SCORES, number)


@pytest.mark.parametrize("iterations", [0, -1])
def test_sinkhorn_names_a_bad_number_of_iterations(iterations):
    with pytest.raises(ValueError, match="`iterations`"):
        sinkhorn(SCORES, iterations=iterations)


def test_rows_of_weight_zero_have_no_part_in_the_assignment():
    scores = np.random.default_rng(0).normal(size=(6, 4))
    used = np.array([1, 0, 1, 1, 0, 1])
    found = np.asarray(sinkhorn(scores, weights=used))
    np.testing.assert_allclose(found[used == 1], sinkhorn(scores[used == 1]), atol=1e-12)
    assert np.all(np.isfinite(sinkhorn(scores.astype("float32"), weights=0 * used)))
