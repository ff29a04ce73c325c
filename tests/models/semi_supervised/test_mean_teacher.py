"""Mean teacher: averaged weights teach, in training mode."""

import method_checks as checks
import numpy as np
import references
from method_spec import MethodSpec, with_classifier
from references import cross_entropy, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.MeanTeacher,
    networks=with_classifier,
    settings={"ema_momentum": 0.75, "warmup": 2},
    other_values={"warmup": 6, "unlabeled_weight": 10.0, "ema_momentum": 0.25},
    views_of="FixMatch",
)


def test_mean_teacher_matches_the_paper_step_by_step(float64):
    model, (weak, strong) = checks.make("MeanTeacher"), checks.two_views(16)

    def reference(labeled, _, __, labels, step):
        seen = np.concatenate([weak[:8], strong])  # the student passes no weak view
        student = np.asarray(model.classifier(seen, training=True))
        teacher = np.asarray(model.ema_classifier(weak, training=True))
        unsupervised = np.mean((softmax(student[8:]) - softmax(teacher)) ** 2)
        rise = np.exp(-5 * (1 - min(step / 2, 1)) ** 2)
        return {
            "unsupervised_loss": unsupervised,
            "loss": cross_entropy(student[:8], labels) + 50 * rise * unsupervised,
            "pseudo_label_accuracy": np.mean(teacher.argmax(axis=1) == checks.labels(16)),
            "mask_rate": 1.0,
        }

    references.follow(model, reference)
