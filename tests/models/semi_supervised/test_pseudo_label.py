"""What only Pseudo-Label promises: the weak view teaches itself, ever more."""

import method_checks as checks
import numpy as np
import references
from references import cross_entropy, masked, softmax


def pseudo_label(labeled, weak, strong, labels, step):
    """Equation 15 with a threshold of 0.4; the weight rises over two steps."""
    confidence = softmax(weak)
    mask = confidence.max(axis=1) >= 0.4
    unsupervised = masked(weak, np.eye(4)[confidence.argmax(axis=1)], mask)
    total = cross_entropy(labeled, labels) + min(step / 2, 1) * unsupervised
    return {"unsupervised_loss": unsupervised, "loss": total, "mask_rate": mask.mean()}


def test_follows_the_paper_step_by_step(float64):
    model = checks.make("PseudoLabel")

    def reference(labeled, weak, strong, labels, step):
        together = np.concatenate(checks.labeled_part(checks.two_views(16))[:1])
        seen = np.concatenate([together, checks.two_views(16)[0]])  # it passes no strong view
        logits = np.asarray(model.classifier(seen, training=True))
        return pseudo_label(logits[:8], logits[8:], None, labels, step)

    references.follow(model, reference)
