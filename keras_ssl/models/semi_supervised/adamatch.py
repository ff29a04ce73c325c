"""AdaMatch: FixMatch with aligned predictions and a threshold relative to the labeled images."""

import math

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl.numerics import mean
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_steps


@keras.saving.register_keras_serializable("keras_ssl")
class AdaMatch(SemiSupervisedModel):
    """Learns a classifier from few labels, also where unlabeled images are of another kind.

    Predictions of weak views are scaled so that their classes are as frequent as those predicted on
    labeled images, and count where they reach a share of the mean confidence there. Choose it over
    FixMatch where the unlabeled images come from elsewhere, or how sure the classifier is changes
    much. Memory and cost are FixMatch's, and so are logs and safe start; `threshold` moves with
    each batch.

        model = keras_ssl.AdaMatch(keras_ssl.models.classifier(encoder, 10))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold: Float in 0..1, the share of the mean confidence on labeled images.
        warmup: How long the weight of the unlabeled images rises on half a cosine: a fraction of
            the run (float) or steps (int).
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Berthelot et al. 2021, https://arxiv.org/abs/2106.04732, section 3. Two parts are left out:
        strong views of labeled images, and the interpolation of their logits with and without the
        unlabeled images in batch norm, which takes a second pass.
    """

    schedule_args = ("warmup",)

    def __init__(self, classifier, *, threshold=0.9, warmup=0.5, **kwargs):
        check_fraction(threshold=threshold)
        check_steps(warmup=warmup)
        super().__init__(classifier, **kwargs)
        self.threshold = threshold
        self.warmup = warmup

    def unsupervised_weight(self):
        """Section 3.4: rises on half a cosine."""
        rise = 0.5 - 0.5 * ops.cos(math.pi * self.progress(self.warmup))
        return super().unsupervised_weight() * rise

    def compute_unlabeled(self, logits, batch):
        """Sections 3.2 and 3.3."""
        labeled, weak = (
            ops.stop_gradient(ops.softmax(each, axis=1)) for each in (logits.labeled, logits.weak)
        )
        aligned = weak * mean(labeled, axis=0) / ops.maximum(mean(weak, axis=0), 1e-12)
        aligned = aligned / ops.maximum(ops.sum(aligned, axis=1, keepdims=True), 1e-12)
        threshold = self.threshold * mean(ops.max(labeled, axis=1))
        mask = ops.cast(ops.max(aligned, axis=1) >= threshold, aligned.dtype)
        return {
            "unsupervised_loss": losses.weighted_cross_entropy(logits.strong, aligned, mask),
            "mask": mask,
            "threshold": threshold,
            "pseudo_labels": ops.argmax(aligned, axis=1),
        }
