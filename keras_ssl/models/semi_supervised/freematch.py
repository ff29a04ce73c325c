"""FreeMatch."""

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl._types import Tensor
from keras_ssl.numerics import mean, one_hot
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_number


@keras.saving.register_keras_serializable("keras_ssl")
class FreeMatch(SemiSupervisedModel):
    """FreeMatch: FixMatch with thresholds that follow the model's confidence.

    The global threshold is a running mean of the confidence in weak views. It is scaled for each
    class by a running mean of its probability. A fairness term encourages diverse predictions. Use
    it instead of FixMatch when you have no good threshold, and for very few labels. Memory, compute
    and a safe starting point are those of `FixMatch`.

    `fit` logs the values listed in `SemiSupervisedModel`. `threshold` is the mean over classes,
    which starts at about 1 / K. `fairness_loss` is the unweighted fairness term, which is at most
    0 and part of `unsupervised_loss`.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        model = keras_ssl.FreeMatch(keras_ssl.models.classifier(encoder, 10))
        model.compile(keras_ssl.optimizers.L2SGD(0.03, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold_momentum: Float in 0..1, decay of the running means.
        fairness_weight: Float >= 0, weight of the fairness term. The paper uses 0.01, the authors'
            later code 0.001.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described.

    Source:
        Wang et al. 2022, https://arxiv.org/abs/2205.07246, equations 5 to 14.
    """

    extra_logs = ("fairness_loss",)

    def __init__(
        self,
        classifier: keras.Model,
        *,
        threshold_momentum: float = 0.999,
        fairness_weight: float = 0.001,
        **kwargs,
    ) -> None:
        check_fraction(threshold_momentum=threshold_momentum)
        check_number(0, fairness_weight=fairness_weight)
        super().__init__(classifier, **kwargs)
        self.threshold_momentum = threshold_momentum
        self.fairness_weight = fairness_weight
        uniform = 1.0 / self.num_classes
        self.confidence = self.add_state("confidence", (), uniform)
        self.probabilities = self.add_state("probabilities", (self.num_classes,), uniform)
        self.histogram = self.add_state("histogram", (self.num_classes,), uniform)

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns the loss of equations 5 to 13."""
        weak = ops.stop_gradient(ops.softmax(logits.weak, axis=1))
        pseudo_labels = ops.argmax(weak, axis=1)
        batch_histogram = mean(one_hot(pseudo_labels, weak), axis=0)
        momentum = self.threshold_momentum
        confidence = self.update_running_mean(
            self.confidence, mean(ops.max(weak, axis=1)), momentum
        )
        probabilities = self.update_running_mean(self.probabilities, mean(weak, axis=0), momentum)
        histogram = self.update_running_mean(self.histogram, batch_histogram, momentum)
        class_thresholds = confidence * probabilities / ops.max(probabilities)
        thresholds = ops.take(class_thresholds, pseudo_labels, axis=0)
        loss, mask = losses.fixmatch(logits.weak, logits.strong, thresholds)
        fairness = losses.fairness(logits.strong, mask, probabilities, histogram)
        return {
            "unsupervised_loss": loss + self.fairness_weight * fairness,
            "fairness_loss": fairness,
            "mask": mask,
            "threshold": mean(class_thresholds),
        }
