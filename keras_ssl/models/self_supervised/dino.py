"""DINO."""

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.numerics import as_float, cross_entropy, mean
from keras_ssl.training.batch import NUM_LARGE_CROPS, Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import (
    check_fraction,
    check_int,
    check_momentum,
    check_positive_schedule,
)


@keras.saving.register_keras_serializable("keras_ssl")
class DINO(SelfSupervisedModel):
    """DINO: self-distillation from a momentum teacher that sees only the large crops.

    Use it for vision transformers, and for features that work with nearest neighbors without
    further training. It has no negatives, and a batch size of 64 is enough. It keeps a second
    encoder in memory. A step runs the student on every crop of each image and the teacher on the
    large ones; small crops are cheap. It is sensitive to hyperparameters: it may collapse if the
    teacher's temperature or the momentum is too low. Use `callbacks.CollapseMonitor`.

    `fit` logs `loss`, which is at least 0 and starts at about log(K), and `teacher_entropy` in
    0..log(K). An entropy of 0 is one kind of collapse. An entropy that stays at log(K) is the
    other: lower `teacher_temperature` to 0.02 or 0.01. A safe starting point is AdamW with learning
    rate 1e-3 * B / 256, `clipnorm=3.0` and cosine decay.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        momentum = keras_ssl.schedules.CosineMomentum(0.99, decay_steps=10_000)
        model = keras_ssl.DINO(encoder, momentum=momentum)
        model.compile(keras.optimizers.AdamW(1e-3, clipnorm=3.0))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with GELU between them and a linear output, or a Keras
            layer from `(B, D)` to `(B, width)`.
        prototypes: Int K >= 2, the number of learned unit vectors that normalized projections are
            compared with; or a Keras layer from `(B, width)` to scores `(B, K)`.
        student_temperature: Float > 0 or Keras schedule.
        teacher_temperature: Float > 0 or Keras schedule, lower than the student's. The authors
            increase it: `keras.optimizers.schedules.PolynomialDecay(0.04, steps, 0.07)`.
        center_momentum: Float in 0..1, decay of the center, the running mean of the teacher's
            scores over the full batch.
        momentum: Float in 0..1 or Keras schedule, the decay of the moving averages
            `momentum_encoder`, `momentum_projector` and `momentum_prototypes`, the teacher.
        freeze_prototypes_steps: Int >= 0, number of initial steps in which the prototypes are
            frozen. The authors freeze them for one epoch.
        views: Sequence of V >= 2 views, the first two of them the large crops. None for
            `views.dino` at the size of the images.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the encoder is not as described.

    Source:
        Caron et al. 2021, https://arxiv.org/abs/2104.14294, algorithm 1 and appendix C.
    """

    allows_small_crops = True

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (2048, 2048, 256),
        prototypes: int | keras.Layer = 4096,
        student_temperature: FloatOrSchedule = 0.1,
        teacher_temperature: FloatOrSchedule = 0.04,
        center_momentum: float = 0.9,
        momentum: FloatOrSchedule = 0.996,
        freeze_prototypes_steps: int = 0,
        **kwargs,
    ) -> None:
        check_positive_schedule(student_temperature=student_temperature)
        check_positive_schedule(teacher_temperature=teacher_temperature)
        check_fraction(center_momentum=center_momentum)
        check_momentum(momentum=momentum)
        check_int(0, freeze_prototypes_steps=freeze_prototypes_steps)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(
            projector, self.feature_width, activation=layers.gelu
        )
        width = layers.output_dim(self.projector, self.feature_width)
        self.prototypes = layers.prototype_head(prototypes, width)
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.center_momentum = center_momentum
        self.momentum = momentum
        self.freeze_prototypes_steps = freeze_prototypes_steps
        self.center = self.add_state("center", (layers.output_dim(self.prototypes, width),))
        self.add_ema_copies("prototypes")

    def default_views(self, size: Size) -> Views:
        return views.dino(size)

    def freeze_schedule(self) -> tuple[tuple[keras.Layer, int], ...]:
        return ((self.prototypes, self.freeze_prototypes_steps),)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the loss of each large crop's teacher and every other crop's student."""
        large = batch.views[:NUM_LARGE_CROPS]
        student = self.project_together(batch.views, training)
        teacher = self.project_together(large, training, momentum=True)
        student = [as_float(self.prototypes(distribute.all_gather(z))) for z in student]
        teacher = [as_float(self.momentum_prototypes(distribute.all_gather(z))) for z in teacher]
        student_temperature = self.current_value(self.student_temperature)
        teacher_temperature = self.current_value(self.teacher_temperature)

        def dino(s, t):
            return losses.dino(s, t, self.center, student_temperature, teacher_temperature)

        targets = [(t - self.center) / teacher_temperature for t in teacher]
        terms = {
            "loss": mean_over_ordered_pairs(dino, student, teacher),
            "teacher_entropy": sum(map(_entropy, targets)) / len(targets),
        }
        if training:
            batch_center = sum(mean(t, axis=0) for t in teacher) / len(teacher)
            self.update_running_mean(self.center, batch_center, self.center_momentum)
        return terms

    def on_step_end(self) -> None:
        self.update_ema_copies("prototypes")


def _entropy(logits):
    return cross_entropy(logits, ops.softmax(logits, axis=1))
