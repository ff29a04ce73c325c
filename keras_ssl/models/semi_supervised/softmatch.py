"""SoftMatch."""

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl._types import Tensor
from keras_ssl.numerics import mean, one_hot
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_positive_number

EPSILON = 1e-12  # smallest divisor


@keras.saving.register_keras_serializable("keras_ssl")
class SoftMatch(SemiSupervisedModel):
    """SoftMatch: FixMatch with soft (Gaussian) sample weights instead of a hard threshold.

    All pseudo-labels are used, weighted by confidence. The weight of an image is 1 above the
    running mean of the confidence, and below it falls as a Gaussian with the running variance.
    Confidence is measured after aligning predictions to uniform classes. Use it instead of FixMatch
    when a threshold excludes too many images for too long. Memory, compute and a safe starting
    point are those of `FixMatch`.

    `fit` logs the values listed in `SemiSupervisedModel`. `mask_rate` is the mean weight, and
    `threshold` is the running mean of the confidence, which starts at about 1 / K.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        model = keras_ssl.SoftMatch(keras_ssl.models.classifier(encoder, 10))
        model.compile(keras_ssl.optimizers.L2SGD(0.03, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        n_sigma: Float > 0. The Gaussian has the running standard deviation divided by `n_sigma`:
            higher values give less weight to unconfident images.
        weight_momentum: Float in 0..1, decay of the running means.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described.

    Source:
        Chen et al. 2023, https://arxiv.org/abs/2301.10921, equations 5 to 9. The alignment starts
        from uniform classes.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        n_sigma: float = 2.0,
        weight_momentum: float = 0.999,
        **kwargs,
    ) -> None:
        check_positive_number(n_sigma=n_sigma)
        check_fraction(weight_momentum=weight_momentum)
        super().__init__(classifier, **kwargs)
        self.n_sigma = n_sigma
        self.weight_momentum = weight_momentum
        uniform = 1.0 / self.num_classes
        self.mean_confidence = self.add_state("mean_confidence", (), uniform)
        self.variance = self.add_state("variance", (), 1.0)
        self.probabilities = self.add_state("probabilities", (self.num_classes,), uniform)

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns the loss of equations 5 to 9."""
        weak = ops.stop_gradient(ops.softmax(logits.weak, axis=1))
        weights, mean_confidence = self._sample_weights(self._align(weak))
        targets = one_hot(ops.argmax(weak, axis=1), weak)
        loss = losses.weighted_cross_entropy(logits.strong, targets, weights)
        return {"unsupervised_loss": loss, "mask": weights, "threshold": mean_confidence}

    def _align(self, probabilities):
        """Returns probabilities rescaled to uniform classes, and updates their running mean."""
        running = self.update_running_mean(
            self.probabilities, mean(probabilities, axis=0), self.weight_momentum
        )
        aligned = probabilities / ops.maximum(self.num_classes * running, EPSILON)
        return aligned / ops.maximum(ops.sum(aligned, axis=1, keepdims=True), EPSILON)

    def _sample_weights(self, aligned):
        """Returns the weight of each image and the running mean of the confidence, updated."""
        momentum = self.weight_momentum
        confidence = ops.max(aligned, axis=1)
        batch_mean = mean(confidence)
        squares = ops.square(confidence - batch_mean)
        degrees = ops.maximum(ops.cast(ops.shape(squares)[0] - 1, squares.dtype), 1.0)
        batch_variance = ops.sum(squares) / degrees
        center = self.update_running_mean(self.mean_confidence, batch_mean, momentum)
        variance = self.update_running_mean(self.variance, batch_variance, momentum)
        below = ops.minimum(confidence - center, 0.0)
        divisor = ops.maximum(2.0 * variance, EPSILON)
        return ops.exp(-ops.square(below) * self.n_sigma**2 / divisor), center
