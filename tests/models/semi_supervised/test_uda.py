"""UDA: sharpened targets and training signal annealing."""

import method_checks as checks
import numpy as np
import pytest
import references
from method_spec import MethodSpec, with_classifier
from references import cross_entropy, masked, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.UDA,
    networks=with_classifier,
    settings={"ema_momentum": 0.75, "threshold": 0.4},
    other_values={
        "temperature": 1.0,
        "threshold": 0.6,
        "signal_annealing": "linear",
        "unlabeled_weight": 0.5,
    },
    covered_elsewhere=("ema_momentum",),
    invalid_values={"signal_annealing": ("cosine", None, True, 1.0)},
    views_of="FixMatch",
)


def uda(labeled, weak, strong, labels, step):
    """Section 2 and 3.2: temperature 0.4, threshold 0.4."""
    sharp = softmax(weak / 0.4)
    mask = softmax(weak).max(axis=1) >= 0.4
    unsupervised = masked(strong, sharp, mask)
    supervised = cross_entropy(labeled, labels)
    return {"unsupervised_loss": unsupervised, "loss": supervised + unsupervised}


def test_uda_matches_the_paper_step_by_step(float64):
    references.follow(checks.make("UDA"), uda)


SHARES = {
    "linear": lambda t: t,
    "log": lambda t: 1 - np.exp(-5 * t),
    "exp": lambda t: np.exp(5 * (t - 1)),
}


@pytest.mark.parametrize("annealing", SHARES)
def test_uda_leaves_out_confident_labeled_images_as_in_the_paper(annealing, float64):
    model = checks.make("UDA", signal_annealing=annealing)
    views = checks.two_views(16)
    held_back = 0
    for step in range(4):
        # One epoch per `fit`: each run ends with its step.
        share = SHARES[annealing](step / (step + 1))
        labeled, _, _, labels = references.few_label_logits(model, views)
        confidence = softmax(labeled)[np.arange(8), labels]
        used = confidence <= share * (1 - 1 / 4) + 1 / 4
        costs = -np.log(confidence) * used
        held_back += np.sum(~used)
        logs = references.one_step(model, views)
        expected = costs.sum() / max(used.sum(), 1)
        np.testing.assert_allclose(logs["supervised_loss"], expected, rtol=1e-7)
    assert held_back > 0
