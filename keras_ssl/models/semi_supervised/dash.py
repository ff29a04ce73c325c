"""Dash."""

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl._types import FloatOrSchedule, Tensor
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_choice, check_number, check_positive_number, check_steps

WARMUP_THRESHOLD = 500.0  # from the authors' code: a loss that no image reaches
PAPER_C = 1.0001  # the paper's C, which multiplies the labeled loss
THRESHOLD_SOURCES = ("unlabeled", "labeled")


@keras.saving.register_keras_serializable("keras_ssl")
class Dash(SemiSupervisedModel):
    """Dash: FixMatch with a threshold on the loss of each image that decreases during training.

    All unlabeled images are used during warm-up. The mean loss at its end becomes the first
    threshold, which then decreases geometrically to `min_threshold`. An image is used if the
    negative log-probability of its pseudo-label, in the weak view, is below the threshold. Targets
    are sharpened predictions, and hard labels once the threshold reaches its minimum.

    Use it instead of FixMatch when a constant threshold selects too few images early in training.
    Memory, compute and a safe starting point are those of `FixMatch`. `fit` logs the values listed
    in `SemiSupervisedModel`; `threshold` is a loss, 500 during warm-up, averaged over the epoch
    like all logs.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        model = keras_ssl.Dash(keras_ssl.models.classifier(encoder, 10))
        model.compile(keras_ssl.optimizers.L2SGD(0.03, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        initial_threshold: The loss whose mean over the last tenth of the warm-up is the first
            threshold: `"unlabeled"` for the loss of the unlabeled images, as in the authors' code,
            or `"labeled"` for that of the labeled images times 1.0001, as in the paper. Test data
            is never used.
        warmup: Int, number of steps, or float in 0..1, fraction of the run. The authors' code uses
            10 of 1024 epochs.
        decay_interval: Int, number of steps, or float in 0..1, fraction of the run, between two
            decreases of the threshold, counted from the first step. 0 decreases it at every step.
            The authors' code uses 9 of 1024 epochs.
        decay: Float > 1, the factor that divides the threshold each time, the paper's gamma.
        min_threshold: Float >= 0, lowest threshold. 0.05 selects probabilities above 0.951.
        temperature: Float > 0, temperature of the soft targets. Values below 1 sharpen them.
        unlabeled_weight: See `SemiSupervisedModel`. The authors' code uses 0.9.
        ema_momentum: See `SemiSupervisedModel`.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described.

    Source:
        Xu et al. 2021, http://proceedings.mlr.press/v139/xu21e.html, algorithm 1 and equation 9,
        and the authors' code.
    """

    schedule_args = ("warmup", "decay_interval")

    def __init__(
        self,
        classifier: keras.Model,
        *,
        initial_threshold: str = "unlabeled",
        warmup: int | float = 10 / 1024,
        decay_interval: int | float = 9 / 1024,
        decay: float = 1.27,
        min_threshold: float = 0.05,
        temperature: float = 0.5,
        unlabeled_weight: FloatOrSchedule = 0.9,
        **kwargs,
    ) -> None:
        check_choice(THRESHOLD_SOURCES, initial_threshold=initial_threshold)
        check_steps(warmup=warmup, decay_interval=decay_interval)
        check_number(decay=decay)
        if decay <= 1:
            raise ValueError(f"`decay` must be above 1, received {decay!r}.")
        check_number(0, min_threshold=min_threshold)
        check_positive_number(temperature=temperature)
        super().__init__(classifier, unlabeled_weight=unlabeled_weight, **kwargs)
        self.initial_threshold = initial_threshold
        self.warmup = warmup
        self.decay_interval = decay_interval
        self.decay = decay
        self.min_threshold = min_threshold
        self.temperature = temperature
        self.loss_sum = self.add_state("loss_sum", ())
        self.loss_count = self.add_state("loss_count", ())

    def compute_supervised(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Returns the labeled loss, and records it if it sets the first threshold."""
        loss = super().compute_supervised(logits, labels)
        if self.initial_threshold == "labeled":
            self._record_warmup_loss(PAPER_C * loss)
        return loss

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns the loss of algorithm 1."""
        threshold = self.compute_threshold()
        hard = threshold <= ops.convert_to_tensor(self.min_threshold, threshold.dtype)
        loss, mask = losses.dash(logits.weak, logits.strong, threshold, self.temperature, hard=hard)
        if self.initial_threshold == "unlabeled":
            unmasked, _ = losses.dash(
                logits.weak, logits.strong, WARMUP_THRESHOLD, self.temperature
            )
            self._record_warmup_loss(unmasked)
        return {"unsupervised_loss": loss, "mask": mask, "threshold": threshold}

    def compute_threshold(self) -> Tensor:
        """Returns the threshold at the current step.

        After warm-up it is `max(min_threshold, first * decay ** -(step // decay_interval))`.
        """
        step = ops.cast(self.step, keras.config.floatx())
        # TensorFlow would convert Python numbers to float32 in a float64 model.
        decay = ops.convert_to_tensor(self.decay, step.dtype)
        min_threshold = ops.convert_to_tensor(self.min_threshold, step.dtype)
        first = self.loss_sum / ops.maximum(self.loss_count, 1.0)
        num_decays = ops.floor(step / ops.maximum(self.to_steps(self.decay_interval), 1.0))
        threshold = ops.maximum(first * ops.power(decay, -num_decays), min_threshold)
        warmup_threshold = ops.cast(WARMUP_THRESHOLD, threshold.dtype)
        return ops.where(step < self._warmup_steps(), warmup_threshold, threshold)

    def _warmup_steps(self):
        """Returns the length of the warm-up, at least the one step that the threshold needs."""
        return ops.maximum(ops.floor(self.to_steps(self.warmup)), 1.0)

    def _record_warmup_loss(self, loss):
        """Adds a loss to the mean over the last tenth of the warm-up."""
        step, end = ops.cast(self.step, keras.config.floatx()), self._warmup_steps()
        is_recorded = (step < end) & (step >= ops.floor(0.9 * end))
        is_recorded = ops.cast(is_recorded, self.loss_sum.dtype)
        loss = ops.stop_gradient(ops.cast(loss, self.loss_sum.dtype))
        self.assign_state(self.loss_sum, self.loss_sum + is_recorded * loss)
        self.assign_state(self.loss_count, self.loss_count + is_recorded)
