"""Pseudo-Label: targets from the weak view, with a rising weight."""

import method_checks as checks
import numpy as np
import references
from method_spec import MethodSpec, with_classifier
from references import cross_entropy, masked, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.PseudoLabel,
    networks=with_classifier,
    settings={"ema_momentum": 0.75, "threshold": 0.4, "warmup": 2},
    other_values={"threshold": 0.6, "warmup": 6, "unlabeled_weight": 0.5},
    covered_elsewhere=("ema_momentum",),
    views_of="FixMatch",
)


def pseudo_label(labeled, weak, strong, labels, step):
    """Equation 15 with a threshold of 0.4; the weight rises over two steps."""
    confidence = softmax(weak)
    mask = confidence.max(axis=1) >= 0.4
    unsupervised = masked(weak, np.eye(4)[confidence.argmax(axis=1)], mask)
    total = cross_entropy(labeled, labels) + min(step / 2, 1) * unsupervised
    return {"unsupervised_loss": unsupervised, "loss": total, "mask_rate": mask.mean()}


def test_pseudo_label_matches_the_paper_step_by_step(float64):
    model = checks.make("PseudoLabel")

    def reference(labeled, weak, strong, labels, step):
        together = np.concatenate(checks.labeled_part(checks.two_views(16))[:1])
        seen = np.concatenate([together, checks.two_views(16)[0]])  # it passes no strong view
        logits = np.asarray(model.classifier(seen, training=True))
        return pseudo_label(logits[:8], logits[8:], None, labels, step)

    references.follow(model, reference)
