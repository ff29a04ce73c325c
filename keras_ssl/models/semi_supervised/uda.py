"""UDA."""

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl._types import Tensor
from keras_ssl.numerics import one_hot
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_choice, check_fraction, check_positive_number

ANNEALING_SCHEDULES = ("none", "linear", "log", "exp")


@keras.saving.register_keras_serializable("keras_ssl")
class UDA(SemiSupervisedModel):
    """UDA: train strong views on the sharpened predictions of weak views.

    Use it instead of FixMatch when classes overlap, or the labeled set is quickly overfitted. For
    the latter, `signal_annealing` ignores labeled images whose predicted probability is ahead of
    the schedule. Memory, compute and a safe starting point are those of `FixMatch`.

    `fit` logs the values listed in `SemiSupervisedModel`; `threshold` is constant. Soft targets
    keep `unsupervised_loss` above their entropy.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        model = keras_ssl.UDA(keras_ssl.models.classifier(encoder, 10))
        model.compile(keras_ssl.optimizers.L2SGD(0.03, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        temperature: Float > 0, temperature of the targets. Values below 1 sharpen them.
        threshold: Float in 0..1, confidence threshold. Images whose prediction, before sharpening,
            has at least this probability are used.
        signal_annealing: How the probability above which labeled images are ignored rises from
            1 / K to 1 over the run: `"linear"`, `"log"` (early), `"exp"` (late) or `"none"` to use
            all labeled images.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described.

    Source:
        Xie et al. 2019, https://arxiv.org/abs/1904.12848, sections 2 and 3.2. The defaults are
        those of the authors' code for CIFAR-10.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        temperature: float = 0.4,
        threshold: float = 0.8,
        signal_annealing: str = "none",
        **kwargs,
    ) -> None:
        check_positive_number(temperature=temperature)
        check_fraction(threshold=threshold)
        check_choice(ANNEALING_SCHEDULES, signal_annealing=signal_annealing)
        super().__init__(classifier, **kwargs)
        self.temperature = temperature
        self.threshold = threshold
        self.signal_annealing = signal_annealing

    @property
    def schedule_args(self) -> tuple[str, ...]:
        """Names of the arguments that need the length of the run."""
        return () if self.signal_annealing == "none" else ("signal_annealing",)

    def compute_supervised(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Returns the mean loss of the labeled images at or below the annealed probability."""
        if self.signal_annealing == "none":
            return super().compute_supervised(logits, labels)
        targets = one_hot(labels, logits)
        confidence = ops.sum(targets * ops.softmax(logits, axis=1), axis=1)
        progress = ops.cast(self.progress(1.0), logits.dtype)
        annealed = {
            "linear": progress,
            "log": 1.0 - ops.exp(-5.0 * progress),
            "exp": ops.exp(5.0 * (progress - 1.0)),
        }[self.signal_annealing]
        max_confidence = annealed * (1.0 - 1.0 / self.num_classes) + 1.0 / self.num_classes
        mask = ops.stop_gradient(ops.cast(confidence <= max_confidence, logits.dtype))
        cross_entropies = -ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1)
        return ops.sum(mask * cross_entropies) / ops.maximum(ops.sum(mask), 1.0)

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns the masked cross-entropy with sharpened targets of section 3.2."""
        loss, mask = losses.uda(logits.weak, logits.strong, self.temperature, self.threshold)
        return {"unsupervised_loss": loss, "mask": mask, "threshold": self.threshold}
