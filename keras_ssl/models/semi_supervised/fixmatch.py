"""FixMatch: believe what the weak view shows with confidence, and learn it from the strong one."""

import keras

from keras_ssl import losses
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_fraction


@keras.saving.register_keras_serializable("keras_ssl")
class FixMatch(SemiSupervisedModel):
    """Learns a classifier from few labels: pseudo-labels of weak views, learned from strong ones.

    Choose it first: it has one threshold, no state and few surprises. It needs pseudo-labels that
    are right where they are confident: with one or two labels of each class a pre-trained encoder
    helps much. A step passes B * (1 + 2 * ratio) images through the classifier, 15 times as many
    as supervised training with the usual ratio of 7; memory is two classifiers. `fit` logs what
    `SemiSupervisedModel` says; `threshold` stands still. A safe start is SGD, learning rate 0.03 at
    a batch of 64 labeled images, momentum 0.9, Nesterov, decay 5e-4 on kernels.

        model = keras_ssl.FixMatch(keras_ssl.models.classifier(encoder, 10))
        rate = keras_ssl.schedules.FixMatchCosineDecay(0.03, decay_steps=10_000)
        model.compile(keras_ssl.optimizers.L2SGD(rate, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold: Float in 0..1, the probability from which a pseudo-label counts.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, algorithm 1.
    """

    def __init__(self, classifier, *, threshold=0.95, **kwargs):
        check_fraction(threshold=threshold)
        super().__init__(classifier, **kwargs)
        self.threshold = threshold

    def compute_unlabeled(self, logits, batch):
        """Equation 4."""
        loss, mask = losses.fixmatch(logits.weak, logits.strong, self.threshold)
        return {"unsupervised_loss": loss, "mask": mask, "threshold": self.threshold}
