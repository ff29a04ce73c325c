"""FreeMatch: FixMatch whose thresholds follow how sure the classifier has become."""

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl.numerics import mean, one_hot
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_momentum, check_non_negative, check_number


@keras.saving.register_keras_serializable("keras_ssl")
class FreeMatch(SemiSupervisedModel):
    """Learns a classifier from few labels: FixMatch with thresholds that the predictions set.

    The threshold is a running mean of the confidence on weak views, scaled for each class by a
    running mean of its probability; a fairness term draws the predictions apart. Choose it over
    FixMatch where no threshold is known to fit, and for very few labels. Memory and cost are
    FixMatch's. `fit` logs `fairness_loss` too, as it enters `unsupervised_loss`, unweighted;
    `threshold` is the mean over classes. A safe start is FixMatch's.

        model = keras_ssl.FreeMatch(keras_ssl.models.classifier(encoder, 10))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold_momentum: Float in 0..1, how much of the running means stays at each step.
        fairness_weight: Float >= 0, of the fairness term; 0.01 in the paper, 0.001 in the
            authors' later code.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Wang et al. 2022, https://arxiv.org/abs/2205.07246, equations 5 to 14.
    """

    extra_logs = ("fairness_loss",)

    def __init__(self, classifier, *, threshold_momentum=0.999, fairness_weight=0.001, **kwargs):
        check_number(threshold_momentum=threshold_momentum, fairness_weight=fairness_weight)
        check_momentum(threshold_momentum=threshold_momentum)
        check_non_negative(fairness_weight=fairness_weight)
        super().__init__(classifier, **kwargs)
        self.threshold_momentum = threshold_momentum
        self.fairness_weight = fairness_weight
        uniform = 1.0 / self.num_classes
        self.confidence = self.add_state("confidence", (), uniform)
        self.probabilities = self.add_state("probabilities", (self.num_classes,), uniform)
        self.histogram = self.add_state("histogram", (self.num_classes,), uniform)

    def compute_unlabeled(self, logits, batch):
        """Equations 5 to 13."""
        weak = ops.stop_gradient(ops.softmax(logits.weak, axis=1))
        likeliest = ops.argmax(weak, axis=1)
        keep, shown = self.threshold_momentum, one_hot(likeliest, weak)
        confidence = self.update_running_mean(self.confidence, mean(ops.max(weak, axis=1)), keep)
        probabilities = self.update_running_mean(self.probabilities, mean(weak, axis=0), keep)
        histogram = self.update_running_mean(self.histogram, mean(shown, axis=0), keep)
        thresholds = confidence * probabilities / ops.max(probabilities)
        each = ops.take(thresholds, likeliest, axis=0)
        loss, mask = losses.fixmatch(logits.weak, logits.strong, each)
        fairness = losses.fairness(logits.strong, mask, probabilities, histogram)
        return {
            "unsupervised_loss": loss + self.fairness_weight * fairness,
            "fairness_loss": fairness,
            "mask": mask,
            "threshold": mean(thresholds),
        }
