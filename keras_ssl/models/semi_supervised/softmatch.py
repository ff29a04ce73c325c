"""SoftMatch: FixMatch whose images count by degrees."""

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl.numerics import mean, one_hot
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_momentum, check_number, check_positive

TINY = 1e-12


@keras.saving.register_keras_serializable("keras_ssl")
class SoftMatch(SemiSupervisedModel):
    """Learns a classifier from few labels: every pseudo-label counts, the surer the more.

    An image's weight is 1 above the running mean of the confidence, and falls below it as a normal
    density of the running variance. Confidence is that of predictions aligned to uniform classes.
    Choose it over FixMatch where a threshold leaves too many images out for too long. Memory and
    cost are FixMatch's. `fit` logs the mean weight as `mask_rate`, the running mean as `threshold`.
    A safe start is FixMatch's.

        model = keras_ssl.SoftMatch(keras_ssl.models.classifier(encoder, 10))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        n_sigma: Float > 0; how far from the mean, in standard deviations over this number, an
            image still counts: a larger one counts fewer.
        weight_momentum: Float in 0..1, how much of the running means stays at each step.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Chen et al. 2023, https://arxiv.org/abs/2301.10921, equations 5 to 9; the alignment starts
        from uniform classes.
    """

    def __init__(self, classifier, *, n_sigma=2.0, weight_momentum=0.999, **kwargs):
        check_number(n_sigma=n_sigma, weight_momentum=weight_momentum)
        check_positive(n_sigma=n_sigma)
        check_momentum(weight_momentum=weight_momentum)
        super().__init__(classifier, **kwargs)
        self.n_sigma = n_sigma
        self.weight_momentum = weight_momentum
        uniform = 1.0 / self.num_classes
        self.mean_confidence = self.add_state("mean_confidence", (), uniform)
        self.variance = self.add_state("variance", (), 1.0)
        self.probabilities = self.add_state("probabilities", (self.num_classes,), uniform)

    def compute_unlabeled(self, logits, batch):
        """Equations 5 to 9."""
        weak = ops.stop_gradient(ops.softmax(logits.weak, axis=1))
        keep = self.weight_momentum
        probabilities = self.update_running_mean(self.probabilities, mean(weak, axis=0), keep)
        aligned = weak / ops.maximum(self.num_classes * probabilities, TINY)
        aligned = aligned / ops.maximum(ops.sum(aligned, axis=1, keepdims=True), TINY)
        confidence = ops.max(aligned, axis=1)
        batch_mean = mean(confidence)
        spread = ops.square(confidence - batch_mean)
        others = ops.maximum(ops.cast(ops.shape(spread)[0] - 1, spread.dtype), 1.0)
        center = self.update_running_mean(self.mean_confidence, batch_mean, keep)
        variance = self.update_running_mean(self.variance, ops.sum(spread) / others, keep)
        below = ops.minimum(confidence - center, 0.0)
        weights = ops.exp(-ops.square(below) * self.n_sigma**2 / ops.maximum(2.0 * variance, TINY))
        targets = one_hot(ops.argmax(weak, axis=1), weak)
        loss = losses.weighted_cross_entropy(logits.strong, targets, weights)
        return {"unsupervised_loss": loss, "mask": weights, "threshold": center}
