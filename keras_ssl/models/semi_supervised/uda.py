"""UDA: FixMatch with sharpened predictions for targets, and labels that are held back at first."""

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl.numerics import one_hot
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_number, check_positive

SCHEDULES = ("none", "linear", "log", "exp")


@keras.saving.register_keras_serializable("keras_ssl")
class UDA(SemiSupervisedModel):
    """Learns a classifier from few labels: strong views follow sharpened predictions of weak ones.

    Choose it over FixMatch where classes blend and a hard pseudo-label says too much, or where the
    few labels are overfitted at once: `signal_annealing` then leaves out labeled images that the
    classifier is surer of than the run has progressed. Cost, logs and safe start are FixMatch's.

        model = keras_ssl.UDA(keras_ssl.models.classifier(encoder, 10))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        temperature: Float > 0, of the targets; below 1 it sharpens them.
        threshold: Float in 0..1, the probability from which a prediction counts, unsharpened.
        signal_annealing: How the probability above which a labeled image is left out rises from
            1 / K to 1 over the run: "none" (no image is), "linear", "log" (early) or "exp" (late).
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Xie et al. 2019, https://arxiv.org/abs/1904.12848, sections 2 and 3.2; settings as on
        CIFAR-10 in the authors' code.
    """

    def __init__(
        self, classifier, *, temperature=0.4, threshold=0.8, signal_annealing="none", **kwargs
    ):
        check_number(temperature=temperature)
        check_positive(temperature=temperature)
        check_fraction(threshold=threshold)
        if not isinstance(signal_annealing, str) or signal_annealing not in SCHEDULES:
            raise ValueError(
                f"`signal_annealing` must be one of {SCHEDULES}, received {signal_annealing!r}."
            )
        super().__init__(classifier, **kwargs)
        self.temperature = temperature
        self.threshold = threshold
        self.signal_annealing = signal_annealing

    @property
    def schedule_args(self):
        """Annealing follows the length of the run."""
        return () if self.signal_annealing == "none" else ("signal_annealing",)

    def compute_supervised(self, logits, labels):
        """Mean over the labeled images that the classifier is not yet too sure of."""
        if self.signal_annealing == "none":
            return super().compute_supervised(logits, labels)
        targets = one_hot(labels, logits)
        confidence = ops.sum(targets * ops.softmax(logits, axis=1), axis=1)
        progress = ops.cast(self.progress(1.0), logits.dtype)
        share = {
            "linear": progress,
            "log": 1.0 - ops.exp(-5.0 * progress),
            "exp": ops.exp(5.0 * (progress - 1.0)),
        }[self.signal_annealing]
        most = share * (1.0 - 1.0 / self.num_classes) + 1.0 / self.num_classes
        used = ops.stop_gradient(ops.cast(confidence <= most, logits.dtype))
        each = -ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1)
        return ops.sum(used * each) / ops.maximum(ops.sum(used), 1.0)

    def compute_unlabeled(self, logits, batch):
        """Cross-entropy with sharpened targets where they are confident."""
        loss, mask = losses.uda(logits.weak, logits.strong, self.temperature, self.threshold)
        return {"unsupervised_loss": loss, "mask": mask, "threshold": self.threshold}
