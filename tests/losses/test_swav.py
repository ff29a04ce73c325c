import numpy as np
import pytest
from gradients import gradients
from keras import ops
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    log_softmax,
    not_positive,
)

from keras_ssl.losses import sinkhorn, swav

RNG = np.random.default_rng(8)
SCORES = RNG.uniform(-1, 1, size=(6, 4))  # cosines, six images and four prototypes
ASSIGNMENTS = RNG.dirichlet(np.ones(4), size=6)


def make_reference_sinkhorn(epsilon, iterations):
    """`distributed_sinkhorn` of https://github.com/facebookresearch/swav, in loops."""

    def reference(scores):
        q = np.exp(scores / epsilon).T
        prototypes, batch = q.shape
        q = q / q.sum()
        for _ in range(iterations):
            for k in range(prototypes):
                q[k] = q[k] / q[k].sum() / prototypes
            for b in range(batch):
                q[:, b] = q[:, b] / q[:, b].sum() / batch
        return (q * batch).T

    return reference


def make_reference_swav(temperature):
    """Returns equation 2, for the scores of one view and the assignments of the other."""

    def reference(scores, assignments):
        rows = zip(scores, assignments, strict=True)
        return np.mean([-np.sum(a * log_softmax(s / temperature)) for s, a in rows])

    return reference


@pytest.mark.parametrize(("epsilon", "iterations"), [(0.05, 3), (0.03, 1), (0.5, 10)])
def test_sinkhorn_matches_the_code_of_the_authors(epsilon, iterations):
    assert_matches(
        lambda scores: sinkhorn(scores, epsilon, iterations),
        make_reference_sinkhorn(epsilon, iterations),
        SCORES,
    )


def test_sinkhorn_converges_to_equal_use_of_prototypes():
    assignments = np.asarray(sinkhorn(SCORES, 0.5, 200))
    np.testing.assert_allclose(assignments.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(assignments.sum(axis=0), 6 / 4, rtol=1e-9)


def test_sinkhorn_has_no_gradient():
    [gradient] = gradients(lambda scores: ops.sum(sinkhorn(scores) * ASSIGNMENTS), SCORES)
    np.testing.assert_array_equal(gradient, np.zeros((6, 4)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_sinkhorn_does_not_overflow_for_large_scores(dtype):
    assignments = np.asarray(sinkhorn(ops.cast(1000 * np.eye(4), dtype)))
    np.testing.assert_allclose(assignments, np.eye(4, dtype="float32"), atol=1e-6)
    assignments = np.asarray(sinkhorn(ops.cast(1000 * SCORES, dtype)))
    np.testing.assert_allclose(assignments.sum(axis=1), np.ones(6, "float32"), rtol=1e-5)


@degenerate
def test_sinkhorn_is_finite_for_degenerate_rows_and_uniform_for_equal_scores(rows):
    assignments = np.asarray(sinkhorn(rows))
    np.testing.assert_allclose(assignments.sum(axis=1), np.ones(len(rows)), rtol=1e-5)
    if np.ptp(rows) == 0:
        np.testing.assert_allclose(assignments, np.full(rows.shape, 1 / 5), rtol=1e-5)


def test_sinkhorn_ignores_a_constant_added_to_a_prototype():
    moved = sinkhorn(SCORES + np.array([0, 3, -1, 0.5]))
    np.testing.assert_allclose(moved, sinkhorn(SCORES), rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_swav_matches_the_paper(temperature):
    assert_matches(
        lambda *rows: swav(*rows, temperature),
        make_reference_swav(temperature),
        SCORES,
        ASSIGNMENTS,
    )


def test_swav_gradient_matches_differences_for_the_scores_only():
    assert_gradient_matches(swav, make_reference_swav(0.1), SCORES, ASSIGNMENTS, targets=[1])


@degenerate
def test_swav_is_finite_for_degenerate_rows(rows):
    assert_finite(lambda scores: swav(scores, sinkhorn(rows)), rows)
    assert_finite(lambda scores: swav(scores, sinkhorn(SPREAD[: len(rows)])), rows)


def test_swav_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(
        lambda *rows: swav(*rows, 0.01), make_reference_swav(0.01), 1e3 * SCORES, ASSIGNMENTS
    )


def test_swav_ignores_a_constant_added_to_a_row():
    moved = float(swav(SCORES + np.arange(6)[:, None], ASSIGNMENTS))
    assert moved == pytest.approx(float(swav(SCORES, ASSIGNMENTS)), rel=1e-12)


def test_swav_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"scores \(6, 4\), assignments \(5, 4\)"):
        swav(SCORES, ASSIGNMENTS[:5])
    with pytest.raises(ValueError, match="`scores` must have shape"):
        swav(SCORES[0], ASSIGNMENTS[0])


def test_sinkhorn_rejects_scores_that_are_no_matrix():
    with pytest.raises(ValueError, match=r"`scores` must have shape .*, received \(4,\)"):
        sinkhorn(SCORES[0])


@not_positive
def test_swav_and_sinkhorn_reject_a_bad_temperature_or_epsilon(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        swav(SCORES, ASSIGNMENTS, number)
    with pytest.raises(ValueError, match="`epsilon` must be a finite number above 0"):
        sinkhorn(SCORES, number)


@pytest.mark.parametrize("iterations", [0, -1])
def test_sinkhorn_rejects_a_bad_number_of_iterations(iterations):
    with pytest.raises(ValueError, match="`iterations`"):
        sinkhorn(SCORES, iterations=iterations)


def test_sinkhorn_ignores_rows_of_weight_zero():
    scores = np.random.default_rng(0).normal(size=(6, 4))
    used = np.array([1, 0, 1, 1, 0, 1])
    assignments = np.asarray(sinkhorn(scores, weights=used))
    np.testing.assert_allclose(assignments[used == 1], sinkhorn(scores[used == 1]), atol=1e-12)
    assert np.all(np.isfinite(sinkhorn(scores.astype("float32"), weights=0 * used)))
