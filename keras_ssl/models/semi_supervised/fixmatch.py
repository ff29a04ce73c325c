"""FixMatch."""

import keras

from keras_ssl import losses
from keras_ssl._types import Tensor
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_fraction


@keras.saving.register_keras_serializable("keras_ssl")
class FixMatch(SemiSupervisedModel):
    """FixMatch: train strong views on the confident pseudo-labels of weak views.

    Try it first. It has one threshold and no state. It relies on confident pseudo-labels being
    correct: with one or two labels per class, start from a pre-trained encoder. A step runs the
    classifier on B * (1 + 2 * unlabeled_ratio) images, 15 times as many as supervised training at
    the usual ratio of 7. Memory holds two classifiers, one of them the EMA copy.

    `fit` logs the values listed in `SemiSupervisedModel`: `supervised_loss` starts at about log(K),
    `mask_rate` is in 0..1 and rises, and `threshold` is constant. A safe starting point for a batch
    of 64 labeled images is SGD with learning rate 0.03, Nesterov momentum 0.9 and weight decay 5e-4
    on kernels.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        model = keras_ssl.FixMatch(keras_ssl.models.classifier(encoder, 10))
        learning_rate = keras_ssl.schedules.FixMatchCosineDecay(0.03, decay_steps=10_000)
        optimizer = keras_ssl.optimizers.L2SGD(learning_rate, weight_decay=5e-4)
        model.compile(optimizer, metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold: Float in 0..1, confidence threshold. Pseudo-labels with at least this probability
            are used.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, algorithm 1.
    """

    def __init__(self, classifier: keras.Model, *, threshold: float = 0.95, **kwargs) -> None:
        check_fraction(threshold=threshold)
        super().__init__(classifier, **kwargs)
        self.threshold = threshold

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns the loss of equation 4."""
        loss, mask = losses.fixmatch(logits.weak, logits.strong, self.threshold)
        return {"unsupervised_loss": loss, "mask": mask, "threshold": self.threshold}
