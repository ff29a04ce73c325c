"""Dash: FixMatch with a threshold on the loss, which falls as training goes on."""

import keras
from keras import ops

from keras_ssl import losses
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_non_negative, check_number, check_positive, check_steps

ALL = 500.0  # a loss that no image reaches, as in the authors' code
SLACK = 1.0001  # the paper's C
SOURCES = ("unlabeled", "labeled")


@keras.saving.register_keras_serializable("keras_ssl")
class Dash(SemiSupervisedModel):
    """Learns a classifier from few labels: images count whose own loss is small, ever smaller.

    In a warm-up all unlabeled images count; the mean loss at its end is the first threshold, which
    then falls by a factor, step by step, to a floor. An image counts while the negative logarithm
    of its likeliest class's probability, by the weak view, lies below. Targets are sharpened
    predictions, and hard ones once the floor is reached. Choose it over FixMatch where a fixed
    threshold selects too little early on. Memory and cost are FixMatch's. `fit` logs what
    `SemiSupervisedModel` says; `threshold` is a loss, 500 in the warm-up, and like all logs a mean
    over the epoch. A safe start is FixMatch's.

        model = keras_ssl.Dash(keras_ssl.models.classifier(encoder, 10))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        initial_threshold: "unlabeled", the mean over the last tenth of the warm-up of the
            unlabeled images' loss (authors' code), or "labeled", of the labeled images' loss,
            times 1.0001 (paper). Test data has no part in it.
        warmup: A fraction of the run (float), or steps (int); 10 of 1024 in the authors' code.
        decay_interval: After how long the threshold falls once more, counted from the first step:
            a fraction of the run or steps; 9 of 1024 there. 0 falls at every step.
        decay: Float > 1, the paper's gamma, by which it is divided.
        min_threshold: Float >= 0, the lowest threshold; 0.05 selects probabilities above 0.951.
        temperature: Float > 0, of the soft targets.
        unlabeled_weight: See `SemiSupervisedModel`; 0.9 in the authors' code.
        ema_momentum: See `SemiSupervisedModel`.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Xu et al. 2021, http://proceedings.mlr.press/v139/xu21e.html, algorithm 1 and equation 9,
        and the authors' code.
    """

    schedule_args = ("warmup", "decay_interval")

    def __init__(
        self,
        classifier,
        *,
        initial_threshold="unlabeled",
        warmup=10 / 1024,
        decay_interval=9 / 1024,
        decay=1.27,
        min_threshold=0.05,
        temperature=0.5,
        unlabeled_weight=0.9,
        **kwargs,
    ):
        if not isinstance(initial_threshold, str) or initial_threshold not in SOURCES:
            raise ValueError(
                f"`initial_threshold` must be one of {SOURCES}, received {initial_threshold!r}."
            )
        check_steps(warmup=warmup, decay_interval=decay_interval)
        check_number(decay=decay, min_threshold=min_threshold, temperature=temperature)
        check_positive(temperature=temperature)
        check_non_negative(min_threshold=min_threshold)
        if not 1 < decay < float("inf"):
            raise ValueError(f"`decay` must be a finite number above 1, received {decay!r}.")
        super().__init__(classifier, unlabeled_weight=unlabeled_weight, **kwargs)
        self.initial_threshold = initial_threshold
        self.warmup = warmup
        self.decay_interval = decay_interval
        self.decay = decay
        self.min_threshold = min_threshold
        self.temperature = temperature
        self.loss_sum = self.add_state("loss_sum", ())
        self.loss_count = self.add_state("loss_count", ())

    def compute_supervised(self, logits, labels):
        """The labeled loss, of which the paper's first threshold is made."""
        loss = super().compute_supervised(logits, labels)
        if self.initial_threshold == "labeled":
            self._collect(SLACK * loss)
        return loss

    def compute_unlabeled(self, logits, batch):
        """Algorithm 1."""
        threshold = self.threshold()
        hard = threshold <= ops.convert_to_tensor(self.min_threshold, threshold.dtype)
        loss, mask = losses.dash(logits.weak, logits.strong, threshold, self.temperature, hard=hard)
        if self.initial_threshold == "unlabeled":
            soft, _ = losses.dash(logits.weak, logits.strong, ALL, self.temperature)
            self._collect(soft)
        return {"unsupervised_loss": loss, "mask": mask, "threshold": threshold}

    def threshold(self):
        """The threshold at this step: `max(min_threshold, first * decay ** -floor(step / interval))`."""
        step = ops.cast(self.step, keras.config.floatx())
        # As tensors: TensorFlow takes bare numbers in float32.
        decay, lowest = (
            ops.convert_to_tensor(x, step.dtype) for x in (self.decay, self.min_threshold)
        )
        first = self.loss_sum / ops.maximum(self.loss_count, 1.0)
        times = ops.floor(step / ops.maximum(self.to_steps(self.decay_interval), 1.0))
        falling = ops.maximum(first * ops.power(decay, -times), lowest)
        return ops.where(step < self._warmup_end(), ops.cast(ALL, falling.dtype), falling)

    def _warmup_end(self):
        """At least one step must have passed: else there is no loss to begin with."""
        return ops.maximum(ops.floor(self.to_steps(self.warmup)), 1.0)

    def _collect(self, loss):
        """Adds to the mean loss in the last tenth of the warm-up."""
        step, end = ops.cast(self.step, keras.config.floatx()), self._warmup_end()
        counts = (step < end) & (step >= ops.floor(0.9 * end))
        counts = ops.cast(counts, self.loss_sum.dtype)
        loss = ops.stop_gradient(ops.cast(loss, self.loss_sum.dtype))
        self.assign_state(self.loss_sum, self.loss_sum + counts * loss)
        self.assign_state(self.loss_count, self.loss_count + counts)
