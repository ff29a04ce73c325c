"""VICReg: its three terms, their logs and their weights."""

import method_checks as checks
import numpy as np
import pytest
import references
from method_spec import NEGATIVE, SCHEDULE, MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.VICReg,
    settings={"projector": (16, 8)},
    other_values={"invariance": 10.0, "variance": 10.0, "covariance": 5.0},
    invalid_values={"variance": (*NEGATIVE, None, SCHEDULE)},
    learning_rate=2**-6,
    symmetric_in_views=True,
)

WEIGHTS = {"invariance": 10.0, "variance": 20.0, "covariance": 3.0}


def terms(z1, z2):
    """Returns invariance, variance and covariance, with the factors of the authors' code."""
    covariances = [np.cov(z.T) for z in (z1, z2)]
    hinge = [np.mean(np.maximum(0, 1 - np.sqrt(np.diag(c) + 1e-4))) for c in covariances]
    off = [(np.sum(c**2) - np.sum(np.diag(c) ** 2)) / len(c) for c in covariances]
    return np.array([np.mean((z1 - z2) ** 2), sum(hinge) / 2, sum(off)])


def test_vicreg_logged_terms_match_the_paper(float64):
    model, views = checks.make("VICReg"), checks.two_views(16)
    expected = terms(*references.projections(model, views))
    logs = references.one_step(model, views)
    np.testing.assert_allclose([logs[name] for name in WEIGHTS], expected, rtol=1e-10)


def test_vicreg_loss_is_the_weighted_sum_of_the_logged_terms(float64):
    logs = references.one_step(checks.make("VICReg", **WEIGHTS), checks.two_views(16))
    expected = sum(weight * logs[name] for name, weight in WEIGHTS.items())
    assert logs["loss"] == pytest.approx(expected, rel=1e-12)


def test_vicreg_averages_pairs_of_three_views(float64):
    model, views = checks.make("VICReg"), references.three_views()
    z1, z2, z3 = references.projections(model, views)
    expected = np.mean([terms(z1, z2), terms(z1, z3), terms(z2, z3)], axis=0)
    logs = references.one_step(model, views)
    np.testing.assert_allclose([logs[name] for name in WEIGHTS], expected, rtol=1e-10)
