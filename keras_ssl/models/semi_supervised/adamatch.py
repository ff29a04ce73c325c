"""AdaMatch."""

import math

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl._types import Tensor
from keras_ssl.numerics import mean
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_steps

EPSILON = 1e-12  # smallest divisor


@keras.saving.register_keras_serializable("keras_ssl")
class AdaMatch(SemiSupervisedModel):
    """AdaMatch: FixMatch with distribution alignment and a threshold relative to labeled images.

    Predictions for weak views are rescaled to the class distribution predicted for labeled images.
    A prediction is used if its confidence reaches a fraction of the mean confidence on labeled
    images. Use it instead of FixMatch when unlabeled images come from another domain, or when the
    confidence of the classifier changes a lot during training. Memory, compute and a safe starting
    point are those of `FixMatch`.

    `fit` logs the values listed in `SemiSupervisedModel`; `threshold` changes with each batch.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        model = keras_ssl.AdaMatch(keras_ssl.models.classifier(encoder, 10))
        model.compile(keras_ssl.optimizers.L2SGD(0.03, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold: Float in 0..1, confidence threshold as a fraction of the mean confidence on
            labeled images.
        warmup: Int, number of steps, or float in 0..1, fraction of the run, in which the weight of
            the unlabeled images rises as half a cosine.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described.

    Source:
        Berthelot et al. 2021, https://arxiv.org/abs/2106.04732, section 3. Two parts are not
        implemented: strong views of labeled images, and the interpolation of their logits with and
        without the unlabeled images in batch norm, which needs a second forward pass.
    """

    schedule_args = ("warmup",)

    def __init__(
        self,
        classifier: keras.Model,
        *,
        threshold: float = 0.9,
        warmup: int | float = 0.5,
        **kwargs,
    ) -> None:
        check_fraction(threshold=threshold)
        check_steps(warmup=warmup)
        super().__init__(classifier, **kwargs)
        self.threshold = threshold
        self.warmup = warmup

    def unsupervised_weight(self) -> Tensor:
        """Returns the weight at the current step, which rises as in section 3.4."""
        ramp = 0.5 - 0.5 * ops.cos(math.pi * self.progress(self.warmup))
        return super().unsupervised_weight() * ramp

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns the loss of sections 3.2 and 3.3."""
        labeled = ops.stop_gradient(ops.softmax(logits.labeled, axis=1))
        weak = ops.stop_gradient(ops.softmax(logits.weak, axis=1))
        aligned = weak * mean(labeled, axis=0) / ops.maximum(mean(weak, axis=0), EPSILON)
        aligned = aligned / ops.maximum(ops.sum(aligned, axis=1, keepdims=True), EPSILON)
        threshold = self.threshold * mean(ops.max(labeled, axis=1))
        mask = ops.cast(ops.max(aligned, axis=1) >= threshold, aligned.dtype)
        return {
            "unsupervised_loss": losses.weighted_cross_entropy(logits.strong, aligned, mask),
            "mask": mask,
            "threshold": threshold,
            "pseudo_labels": ops.argmax(aligned, axis=1),
        }
