"""DINO: a student predicts, from every crop, what a momentum teacher says of the large ones."""

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl.numerics import as_float, cross_entropy, mean
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import (
    check_int,
    check_momentum,
    check_number,
    check_positive,
    check_schedule,
)

LARGE = 2  # crops that the teacher sees


@keras.saving.register_keras_serializable("keras_ssl")
class DINO(SelfSupervisedModel):
    """Learns an encoder by self-distillation: a teacher made of the student's past.

    Choose it for vision transformers and for features that nearest neighbors can use as they are.
    No negatives; batches of 64 and more. It costs a second encoder in memory and a pass over each
    crop, small ones being cheap. It is the most delicate method here: it may collapse where the
    teacher's temperature or the momentum is too low; watch `callbacks.CollapseMonitor`. `fit` logs
    `loss`, at the start about log(K), and `teacher_entropy`, which falls to 0 in one kind of
    collapse and stays at log(K) in the other: make `teacher_temperature` smaller, 0.02 or 0.01.
    A safe start is AdamW at 1e-3 * B / 256 with `clipnorm=3.0`, cosine decay.

        model = keras_ssl.DINO(encoder, momentum=keras_ssl.schedules.CosineMomentum(0.99, decay_steps=10_000))
        model.compile(keras.optimizers.AdamW(1e-3, clipnorm=3.0))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths, GELU between, linear at the end; or a keras layer.
        prototypes: Int K >= 2, the output's width, made of rows of length 1 and weights of length
            1; or a keras layer from `(B, width)` to scores `(B, K)`.
        student_temperature: Float > 0 or Keras schedule.
        teacher_temperature: Float > 0 or Keras schedule, below the student's. The authors let it
            rise: `keras.optimizers.schedules.PolynomialDecay(0.04, steps, 0.07)`.
        center_momentum: Float in 0..1: how much of the center, the running mean of the teacher's
            scores over all replicas, stays at each step.
        momentum: Float in 0..1 or Keras schedule: how much of `momentum_encoder`,
            `momentum_projector` and `momentum_prototypes`, the teacher, stays at each step.
        freeze_prototypes_steps: Int >= 0, steps in which the prototypes stay as they were drawn; the authors'
            is one epoch.
        views: Sequence of V >= 2 views, the first two the large crops; None for `views.dino` at the
            size of the images.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, or the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Caron et al. 2021, https://arxiv.org/abs/2104.14294, algorithm 1 and appendix C.
    """

    allows_small_crops = True

    def __init__(
        self,
        encoder,
        *,
        projector=(2048, 2048, 256),
        prototypes=4096,
        student_temperature=0.1,
        teacher_temperature=0.04,
        center_momentum=0.9,
        momentum=0.996,
        freeze_prototypes_steps=0,
        **kwargs,
    ):
        temperatures = {
            "student_temperature": student_temperature,
            "teacher_temperature": teacher_temperature,
        }
        check_schedule(**temperatures)
        check_positive(**temperatures)
        check_number(center_momentum=center_momentum)
        check_momentum(momentum=momentum, center_momentum=center_momentum)
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

    def default_views(self, size):
        """`views.dino(size)`."""
        return views.dino(size)

    def freeze_schedule(self):
        """The prototypes."""
        return ((self.prototypes, self.freeze_prototypes_steps),)

    def compute_losses(self, batch, training):
        """Each large crop's teacher against every other crop's student."""
        large = batch.views[:LARGE]
        student = self.project_together(batch.views, training)
        teacher = self.project_together(large, training, momentum=True)
        student = [as_float(self.prototypes(distribute.all_gather(z))) for z in student]
        teacher = [as_float(self.momentum_prototypes(distribute.all_gather(z))) for z in teacher]
        warm = self.current_value(self.student_temperature)
        cool = self.current_value(self.teacher_temperature)

        def loss(s, t):
            return losses.dino(s, t, self.center, warm, cool)

        targets = [(t - self.center) / cool for t in teacher]
        terms = {
            "loss": mean_over_ordered_pairs(loss, student, teacher),
            "teacher_entropy": sum(map(_entropy, targets)) / len(targets),
        }
        if training:
            batch_center = sum(mean(t, axis=0) for t in teacher) / len(teacher)
            self.update_running_mean(self.center, batch_center, self.center_momentum)
        return terms

    def on_step_end(self):
        """Moves the teacher."""
        self.update_ema_copies("prototypes")


def _entropy(logits):
    return cross_entropy(logits, ops.softmax(logits, axis=1))
