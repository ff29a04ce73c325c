"""FreeMatch: thresholds that follow the predictions, and fairness."""

import method_checks as checks
import numpy as np
import references
from method_spec import NEGATIVE, NOT_A_FRACTION, SCHEDULE, MethodSpec, with_classifier
from references import cross_entropy, masked, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.FreeMatch,
    networks=with_classifier,
    settings={"ema_momentum": 0.75, "threshold_momentum": 0.5},
    other_values={"threshold_momentum": 0.99, "fairness_weight": 0.1, "unlabeled_weight": 0.5},
    covered_elsewhere=("ema_momentum",),
    invalid_values={
        "fairness_weight": (*NEGATIVE, None, SCHEDULE),
        "threshold_momentum": (*NOT_A_FRACTION, SCHEDULE),
    },
    views_of="FixMatch",
)


class Reference:
    """Equations 5 to 14, with a momentum of 0.5 and a fairness weight of 0.1."""

    def __init__(self):
        self.confidence, self.probabilities, self.histogram = 1 / 4, np.full(4, 1 / 4), None
        self.histogram = np.full(4, 1 / 4)

    def __call__(self, labeled, weak, strong, labels, step):
        p, likeliest = softmax(weak), weak.argmax(axis=1)
        self.confidence = (self.confidence + p.max(axis=1).mean()) / 2
        self.probabilities = (self.probabilities + p.mean(axis=0)) / 2
        shown = np.bincount(likeliest, minlength=4) / len(weak)
        self.histogram = (self.histogram + shown) / 2
        thresholds = self.confidence * self.probabilities / self.probabilities.max()
        mask = p.max(axis=1) >= thresholds[likeliest]
        loss = masked(strong, np.eye(4)[likeliest], mask)
        used = softmax(strong)[mask]
        counts = np.bincount(used.argmax(axis=1), minlength=4) / len(used)
        found = np.divide(used.mean(axis=0), counts, out=np.zeros(4), where=counts > 0)
        target = self.probabilities / self.histogram
        fairness = np.sum(target / target.sum() * np.log(found / found.sum() + 1e-12))
        return {
            "unsupervised_loss": loss + 0.1 * fairness,
            "fairness_loss": fairness,
            "loss": cross_entropy(labeled, labels) + loss + 0.1 * fairness,
            "mask_rate": mask.mean(),
            "threshold": thresholds.mean(),
        }


def test_freematch_matches_the_paper_step_by_step(float64):
    model, reference = checks.make("FreeMatch", fairness_weight=0.1), Reference()
    references.follow(model, reference)
    np.testing.assert_allclose(model.histogram, reference.histogram, rtol=1e-10)
