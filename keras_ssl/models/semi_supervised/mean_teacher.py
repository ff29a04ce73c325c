"""Mean teacher: agree with the moving average of one's own weights."""

import keras
from keras import ops

from keras_ssl import distribute, losses
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_steps


@keras.saving.register_keras_serializable("keras_ssl")
class MeanTeacher(SemiSupervisedModel):
    """Learns a classifier from few labels: its predictions follow those of its averaged weights.

    Choose it where pseudo-labels cannot be trusted, or strong views would change the class: every
    image counts, by the squared difference of probabilities. It needs more labels than FixMatch
    (hundreds of each class in the paper). The student sees the strong view and the teacher, the
    averaged weights, the weak one: as in the paper, give weak views for both, `strong=` the same
    view as `weak`. A step passes B * (1 + ratio) images with gradient and B * ratio without. `fit`
    logs what `SemiSupervisedModel` says, with a `mask_rate` of 1 and a `threshold` of 0. A safe
    start is FixMatch's.

        weak = keras_ssl.views.fixmatch_weak(32)
        model = keras_ssl.MeanTeacher(keras_ssl.models.classifier(encoder, 10))
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled, weak=weak, strong=weak))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        warmup: How long the weight of the unlabeled images rises, on `exp(-5 (1 - t)^2)`, t from
            0 to 1: a fraction of the run (float) or steps (int).
        ema_momentum: See `SemiSupervisedModel`; 0.999 in the paper, 0.99 while the weight rises.
        unlabeled_weight: See `SemiSupervisedModel`; the squares are means over classes.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780, section 2 and appendix B; the
        weight is that of later comparisons, half of the paper's 100.
    """

    forward_views = ("strong",)
    schedule_args = ("warmup",)

    def __init__(self, classifier, *, warmup=0.4, unlabeled_weight=50.0, **kwargs):
        check_steps(warmup=warmup)
        super().__init__(classifier, unlabeled_weight=unlabeled_weight, **kwargs)
        self.warmup = warmup

    def unsupervised_weight(self):
        """Rises on the paper's curve."""
        rise = ops.exp(-5.0 * ops.square(1.0 - self.progress(self.warmup)))
        return super().unsupervised_weight() * rise

    def compute_unlabeled(self, logits, batch):
        """The student's strong view against the teacher's weak one.

        The teacher is in training mode, as in the authors' code: its batch norm sees the batch.
        """
        teacher = distribute.all_gather(
            self.forward(self.ema_classifier, batch.weak, training=True)
        )
        return {
            "unsupervised_loss": losses.mean_teacher(logits.strong, teacher),
            "mask": ops.ones_like(teacher[:, 0]),
            "threshold": 0.0,
            "pseudo_labels": ops.argmax(teacher, axis=1),
        }
