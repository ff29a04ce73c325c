"""Barlow Twins: the two terms of the paper's correlation matrix, and their logs."""

import method_checks as checks
import numpy as np
import pytest
import references
from method_spec import NEGATIVE, SCHEDULE, MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.BarlowTwins,
    settings={"projector": (16, 8)},
    other_values={"redundancy_weight": 0.1},
    invalid_values={"redundancy_weight": (*NEGATIVE, None, SCHEDULE)},
    learning_rate=2**-6,
    symmetric_in_views=True,
    views_of="BYOL",
)


def terms(z1, z2):
    """Returns the diagonal and off-diagonal sums of the correlation matrix."""
    standard = [(z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) for z in (z1, z2)]
    c = standard[0].T @ standard[1] / len(z1)
    diagonal = np.eye(len(c), dtype=bool)
    return np.array([np.sum((1 - c[diagonal]) ** 2), np.sum(c[~diagonal] ** 2)])


def test_barlow_twins_loss_and_logged_terms_match_the_paper(float64):
    model, views = checks.make("BarlowTwins"), checks.two_views(16)
    invariance, redundancy = terms(*references.projections(model, views))
    logs = references.one_step(model, views)
    assert logs["invariance"] == pytest.approx(invariance, rel=1e-10)
    assert logs["redundancy"] == pytest.approx(redundancy, rel=1e-10)
    assert logs["loss"] == pytest.approx(invariance + 0.0051 * redundancy, rel=1e-10)


def test_barlow_twins_logs_unweighted_terms():
    model = checks.make("BarlowTwins", redundancy_weight=0.5)
    logs = references.one_step(model, checks.two_views(16))
    assert logs["loss"] == pytest.approx(logs["invariance"] + 0.5 * logs["redundancy"], rel=1e-5)


def test_barlow_twins_averages_pairs_of_three_views(float64):
    model, views = checks.make("BarlowTwins"), references.three_views()
    z1, z2, z3 = references.projections(model, views)
    expected = np.mean([terms(z1, z2), terms(z1, z3), terms(z2, z3)], axis=0)
    logs = references.one_step(model, views)
    np.testing.assert_allclose([logs["invariance"], logs["redundancy"]], expected, rtol=1e-10)


def test_barlow_twins_projector_ends_in_a_linear_layer():
    model = checks.make("BarlowTwins")
    assert [type(layer).__name__ for layer in model.projector.layers[-2:]] == [
        "Activation",
        "Dense",
    ]
