"""SoftMatch: weights from a normal density of aligned confidence."""

import method_checks as checks
import numpy as np
import references
from method_spec import NOT_A_FRACTION, NOT_POSITIVE, SCHEDULE, MethodSpec, with_classifier
from references import cross_entropy, masked, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.SoftMatch,
    networks=with_classifier,
    settings={"ema_momentum": 0.75, "weight_momentum": 0.5},
    other_values={"n_sigma": 4.0, "weight_momentum": 0.99, "unlabeled_weight": 0.5},
    covered_elsewhere=("ema_momentum",),
    invalid_values={
        "n_sigma": (*NOT_POSITIVE, SCHEDULE),
        "weight_momentum": (*NOT_A_FRACTION, SCHEDULE),
    },
    views_of="FixMatch",
)


class Reference:
    """Equations 5 to 9, with a momentum of 0.5 and `n_sigma` 2."""

    def __init__(self):
        self.center, self.variance, self.probabilities = 1 / 4, 1.0, np.full(4, 1 / 4)

    def __call__(self, labeled, weak, strong, labels, step):
        p = softmax(weak)
        self.probabilities = (self.probabilities + p.mean(axis=0)) / 2
        aligned = p * (1 / 4) / self.probabilities
        confidence = (aligned / aligned.sum(axis=1, keepdims=True)).max(axis=1)
        self.center = (self.center + confidence.mean()) / 2
        self.variance = (self.variance + confidence.var(ddof=1)) / 2
        low = np.exp(-((confidence - self.center) ** 2) / (2 * self.variance / 4))
        weights = np.where(confidence < self.center, low, 1.0)
        unsupervised = masked(strong, np.eye(4)[weak.argmax(axis=1)], weights)
        right = weak.argmax(axis=1) == checks.labels(16)
        return {
            "loss": cross_entropy(labeled, labels) + unsupervised,
            "mask_rate": weights.mean(),
            "threshold": self.center,
            "pseudo_label_accuracy": np.sum(weights * right) / weights.sum(),
        }


def test_softmatch_matches_the_paper_step_by_step(float64):
    references.follow(checks.make("SoftMatch"), Reference())


def test_softmatch_weights_stay_finite_for_equal_images():
    model = checks.make("SoftMatch", weight_momentum=0.0)
    views = tuple(np.repeat(view[:1], 16, axis=0) for view in checks.two_views(16))
    history = checks.train(model, views)
    assert np.all(np.isfinite(history["loss"]))
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())
