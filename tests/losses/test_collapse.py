"""The documented value of each loss when all rows are equal."""

import numpy as np
import pytest

from keras_ssl import losses

B, D, K = 6, 5, 4
Z = np.ones((B, D))
LOGITS = np.ones((B, K))
PATCHES = np.ones((B, 3, K))
ONES = np.ones(B)
CENTER = np.zeros(K)
RATE = np.log(1 + D / 0.2) / 2
TARGETS = np.random.default_rng(1).dirichlet(np.ones(K), size=B)
EXPECTED = np.array([0.4, 0.3, 0.2, 0.1])

VALUES = {
    "barlow_twins": (lambda: losses.barlow_twins(Z, Z), D),
    "byol": (lambda: losses.byol(Z, Z), 0),
    "clip": (lambda: losses.clip(Z, Z, 9.0), np.log(B)),
    "dash": (lambda: losses.dash(LOGITS, LOGITS, 9.0)[0], np.log(K)),
    "dash, no image": (lambda: losses.dash(LOGITS, LOGITS, 0.1)[0], 0),
    "dino": (lambda: losses.dino(LOGITS, LOGITS, CENTER), np.log(K)),
    "emp_ssl": (lambda: losses.emp_ssl(np.stack([Z, Z]), 3.0), -RATE - 3),
    "fairness": (
        lambda: losses.fairness(LOGITS, ONES, EXPECTED, np.ones(K)),
        np.log(1e-12) * (1 - EXPECTED[0]),
    ),
    "fixmatch": (lambda: losses.fixmatch(LOGITS, LOGITS, 0.2)[0], np.log(K)),
    "fixmatch, no image": (lambda: losses.fixmatch(LOGITS, LOGITS)[0], 0),
    "ibot": (lambda: losses.ibot(PATCHES, PATCHES, np.ones((B, 3)), CENTER), np.log(K)),
    "info_nce": (lambda: losses.info_nce(Z, Z), np.log(B)),
    "info_nce, queue": (lambda: losses.info_nce(Z, Z, np.ones((9, D))), np.log(10)),
    "koleo": (lambda: losses.koleo(Z), 18.42),
    "mean_teacher": (lambda: losses.mean_teacher(LOGITS, LOGITS), 0),
    "negative_cosine": (lambda: losses.negative_cosine(Z, Z), -1),
    "nnclr": (lambda: losses.nnclr(Z, Z), np.log(B)),
    "nt_xent": (lambda: losses.nt_xent(Z, Z), np.log(2 * B - 1)),
    "supcon": (lambda: losses.supcon(Z, np.array([0, 0, 1, 1, 1, 2])), np.log(B - 1)),
    "swav": (lambda: losses.swav(LOGITS, TARGETS), np.log(K)),
    "total_coding_rate": (lambda: losses.total_coding_rate(Z / np.sqrt(D)), RATE),
    "uda": (lambda: losses.uda(LOGITS, LOGITS, threshold=0.2)[0], np.log(K)),
    "uda, no image": (lambda: losses.uda(LOGITS, LOGITS)[0], 0),
    "vicreg": (lambda: losses.vicreg(Z, Z), 0.99 * 25),
    "weighted_cross_entropy": (
        lambda: losses.weighted_cross_entropy(LOGITS, TARGETS, 0.5 * ONES),
        np.log(K) / 2,
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_loss_has_its_documented_value_at_collapse(name):
    compute, expected = VALUES[name]
    assert float(compute()) == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_sinkhorn_is_uniform_at_collapse():
    np.testing.assert_allclose(losses.sinkhorn(LOGITS), np.full((B, K), 1 / K), rtol=1e-12)


def test_mae_of_zero_predictions_is_nearly_one():
    patches = np.random.default_rng(2).normal(size=(B, 3, 8))
    value = float(losses.mae(np.zeros_like(patches), patches, np.ones((B, 3))))
    assert value == pytest.approx(7 / 8, rel=1e-4)


def test_every_loss_has_a_documented_value_at_collapse():
    covered = {name.split(",")[0] for name in VALUES} | {"sinkhorn", "mae"}
    terms = {name for name in losses.__all__ if name.endswith("_terms")}
    assert covered | terms == set(losses.__all__)
