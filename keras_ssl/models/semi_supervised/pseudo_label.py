"""Pseudo-Label: learn what the classifier itself finds likeliest."""

import keras

from keras_ssl import losses
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_steps


@keras.saving.register_keras_serializable("keras_ssl")
class PseudoLabel(SemiSupervisedModel):
    """Learns a classifier from few labels and its own likeliest classes, of one and the same view.

    Choose it as the baseline that it is, or where no strong view can be made: it is FixMatch on the
    weak view alone, with a weight that rises. A step passes B * (1 + ratio) images. `fit` logs what
    `SemiSupervisedModel` says. A safe start is FixMatch's.

        model = keras_ssl.PseudoLabel(keras_ssl.models.classifier(encoder, 10))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold: Float in 0..1, the probability from which a pseudo-label counts; 0 as in the
            paper, 0.95 as in later comparisons.
        warmup: How long the weight of the unlabeled images rises from 0: a fraction of the run
            (float) or steps (int).
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Lee 2013, "Pseudo-Label: the simple and efficient semi-supervised learning method for deep
        neural networks", equations 15 and 16, whose weight starts to rise later and ends at 3.
    """

    forward_views = ("weak",)
    schedule_args = ("warmup",)

    def __init__(self, classifier, *, threshold=0.95, warmup=0.4, **kwargs):
        check_fraction(threshold=threshold)
        check_steps(warmup=warmup)
        super().__init__(classifier, **kwargs)
        self.threshold = threshold
        self.warmup = warmup

    def unsupervised_weight(self):
        """Rises on a line."""
        return super().unsupervised_weight() * self.progress(self.warmup)

    def compute_unlabeled(self, logits, batch):
        """FixMatch's loss, with the weak view for the strong one."""
        loss, mask = losses.fixmatch(logits.weak, logits.weak, self.threshold)
        return {"unsupervised_loss": loss, "mask": mask, "threshold": self.threshold}
