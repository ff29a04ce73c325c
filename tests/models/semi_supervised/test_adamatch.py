"""AdaMatch: aligned targets and a threshold relative to the labeled images."""

import method_checks as checks
import numpy as np
import references
from method_spec import MethodSpec, with_classifier
from references import cross_entropy, masked, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.AdaMatch,
    networks=with_classifier,
    settings={"ema_momentum": 0.75, "warmup": 3},
    other_values={"threshold": 0.99, "warmup": 6, "unlabeled_weight": 0.5},
    covered_elsewhere=("ema_momentum",),
    views_of="FixMatch",
)


def adamatch(labeled, weak, strong, labels, step):
    """Section 3: a threshold of 0.9, and a weight that rises over three steps."""
    known, p = softmax(labeled), softmax(weak)
    aligned = p * known.mean(axis=0) / p.mean(axis=0)
    aligned = aligned / aligned.sum(axis=1, keepdims=True)
    threshold = 0.9 * known.max(axis=1).mean()
    mask = aligned.max(axis=1) >= threshold
    unsupervised = masked(strong, aligned, mask)
    rise = (1 - np.cos(np.pi * min(step / 3, 1))) / 2
    right = aligned.argmax(axis=1) == checks.labels(16)
    return {
        "unsupervised_loss": unsupervised,
        "loss": cross_entropy(labeled, labels) + rise * unsupervised,
        "mask_rate": mask.mean(),
        "threshold": threshold,
        "pseudo_label_accuracy": right[mask].mean(),
    }


def test_adamatch_matches_the_paper_step_by_step(float64):
    references.follow(checks.make("AdaMatch"), adamatch)
