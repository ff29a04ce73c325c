"""Pseudo-Label."""

import keras

from keras_ssl import losses
from keras_ssl._types import Tensor
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_steps


@keras.saving.register_keras_serializable("keras_ssl")
class PseudoLabel(SemiSupervisedModel):
    """Pseudo-Label: train on the model's own argmax predictions for the same view.

    Use it as a baseline, or when strong augmentation is not possible. It is FixMatch on the weak
    view alone, with a weight that rises. A step runs the classifier on B * (1 + unlabeled_ratio)
    images. Memory holds two classifiers, one of them the EMA copy.

    `fit` logs the values listed in `SemiSupervisedModel`; `threshold` is constant. A safe starting
    point is that of `FixMatch`.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        model = keras_ssl.PseudoLabel(keras_ssl.models.classifier(encoder, 10))
        model.compile(keras_ssl.optimizers.L2SGD(0.03, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold: Float in 0..1, confidence threshold. Pseudo-labels with at least this probability
            are used. The paper uses 0, later comparisons 0.95.
        warmup: Int, number of steps, or float in 0..1, fraction of the run, in which the weight of
            the unlabeled images rises from 0.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described.

    Source:
        Lee 2013, "Pseudo-Label: the simple and efficient semi-supervised learning method for deep
        neural networks", equations 15 and 16. The paper's weight starts to rise later and ends at
        3.
    """

    forward_views = ("weak",)
    schedule_args = ("warmup",)

    def __init__(
        self,
        classifier: keras.Model,
        *,
        threshold: float = 0.95,
        warmup: int | float = 0.4,
        **kwargs,
    ) -> None:
        check_fraction(threshold=threshold)
        check_steps(warmup=warmup)
        super().__init__(classifier, **kwargs)
        self.threshold = threshold
        self.warmup = warmup

    def unsupervised_weight(self) -> Tensor:
        """Returns the weight at the current step, which rises linearly."""
        return super().unsupervised_weight() * self.progress(self.warmup)

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns FixMatch's loss, with the weak view also as the strong view."""
        loss, mask = losses.fixmatch(logits.weak, logits.weak, self.threshold)
        return {"unsupervised_loss": loss, "mask": mask, "threshold": self.threshold}
