"""DINOv2."""

import itertools

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.encoders.interface import check_vision_transformer
from keras_ssl.numerics import as_float, mean
from keras_ssl.optimizers import parameter_groups
from keras_ssl.training.batch import NUM_LARGE_CROPS, Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import (
    check_bool,
    check_choice,
    check_fraction,
    check_int,
    check_momentum,
    check_number,
    check_positive,
    check_positive_schedule,
)

OPTIMIZER_NAME = "layer_decay"  # identifies the MultiOptimizer that `compile` builds
CENTERINGS = ("sinkhorn_knopp", "running_mean")


@keras.saving.register_keras_serializable("keras_ssl")
class DINOv2(SelfSupervisedModel):
    """DINOv2: self-distillation of a vision transformer on crops and on masked patches.

    The loss has three terms. The class tokens of all crops predict the teacher's class tokens of
    the large crops (DINO). The masked patches of the large crops predict the teacher's patches
    (iBOT). The class tokens of different images are pushed apart (KoLeo).

    Use it for vision transformers whose patch features serve dense tasks; DINO is simpler and
    cheaper. It keeps a second encoder in memory. Student and teacher each take 2 * B * patches *
    prototypes floats for the scores of all patches.

    `fit` logs `loss` and its unweighted terms `dino`, `ibot` and `koleo`. `dino` and `ibot` are at
    least 0 and start at about log(K). Lower is better. A safe starting point is AdamW with learning
    rate 5e-4 * B / 256, weight decay 0.04, `clipnorm=3.0`, warm-up and cosine decay.

        encoder = keras_ssl.encoders.vit((32, 32, 3), patch_size=4, registers=4)
        model = keras_ssl.DINOv2(encoder)
        model.compile(keras.optimizers.AdamW(5e-4, weight_decay=0.04, clipnorm=3.0))
        model.fit(images, batch_size=256, epochs=100)

    Args:
        encoder: Vision transformer from `encoders.vit`.
        projector: Widths of dense layers with GELU between them and a linear output, or a Keras
            layer from `(B, D)` to `(B, width)`.
        prototypes: Int K >= 2, the number of learned unit vectors that normalized projections are
            compared with; or a Keras layer from `(B, width)` to scores `(B, K)`.
        shared_head: Bool. Whether patches use the same projector and prototypes as class tokens.
            Otherwise they use their own, `patch_projector` and `patch_prototypes`, with the same
            architecture.
        student_temperature: Float > 0 or Keras schedule.
        teacher_temperature: Float > 0 or Keras schedule, increased from 0.04 to 0.07 in the paper.
        centering: `"sinkhorn_knopp"` assigns equal shares of the batch to all prototypes.
            `"running_mean"` subtracts a running mean from the teacher's scores, as DINO does.
        center_momentum: Float in 0..1, decay of that running mean.
        momentum: Float in 0..1 or Keras schedule, the decay of the moving averages that make the
            teacher.
        patch_weight: Float >= 0, weight of the iBOT term.
        koleo_weight: Float >= 0, weight of the KoLeo term, which is summed over the large crops.
        layer_decay: Float above 0 and at most 1. Each block of the encoder is trained at the
            learning rate of the block after it times `layer_decay`; the patch embedding has the
            lowest rate. The authors' code uses 0.9. Below 1, the optimizer becomes a
            `keras.optimizers.MultiOptimizer`, which has no single learning rate and applies
            `global_clipnorm` to each block separately.
        freeze_prototypes_steps: Int >= 0, number of initial steps in which the prototypes are
            frozen.
        views: Sequence of V >= 2 views, the first two of them the large crops, followed by two
            views that draw their masks. None for `views.dinov2` at the size of the images. Ready
            views have the same structure.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the encoder is not as described.

    Source:
        Oquab et al. 2023, https://arxiv.org/abs/2304.07193, section 4; DINO: Caron et al. 2021,
        https://arxiv.org/abs/2104.14294; iBOT: Zhou et al. 2021, https://arxiv.org/abs/2111.07832.
    """

    allows_small_crops = True
    num_masks = NUM_LARGE_CROPS
    unsupported_compile_args = {
        **SelfSupervisedModel.unsupported_compile_args,
        "microbatches": "DINOv2 encodes the tokens of the full batch at once",
    }

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (2048, 2048, 256),
        prototypes: int | keras.Layer = 4096,
        shared_head: bool = False,
        student_temperature: FloatOrSchedule = 0.1,
        teacher_temperature: FloatOrSchedule = 0.07,
        centering: str = "sinkhorn_knopp",
        center_momentum: float = 0.9,
        momentum: FloatOrSchedule = 0.992,
        patch_weight: float = 1.0,
        koleo_weight: float = 0.1,
        layer_decay: float = 1.0,
        freeze_prototypes_steps: int = 0,
        **kwargs,
    ) -> None:
        check_vision_transformer(encoder)
        check_bool(shared_head=shared_head)
        check_positive_schedule(student_temperature=student_temperature)
        check_positive_schedule(teacher_temperature=teacher_temperature)
        check_choice(CENTERINGS, centering=centering)
        check_fraction(center_momentum=center_momentum, layer_decay=layer_decay)
        check_momentum(momentum=momentum)
        check_number(0, patch_weight=patch_weight, koleo_weight=koleo_weight)
        check_positive(layer_decay=layer_decay)
        check_int(0, freeze_prototypes_steps=freeze_prototypes_steps)
        super().__init__(encoder, **kwargs)
        self.projector, self.prototypes = self._make_heads(projector, prototypes)
        self._teacher_heads: tuple[str, ...] = ("prototypes",)
        if not shared_head:
            heads = self._make_heads(_clone(projector), _clone(prototypes))
            self.patch_projector, self.patch_prototypes = heads
            self._teacher_heads += ("patch_projector", "patch_prototypes")
        self.shared_head = shared_head
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.centering = centering
        self.center_momentum = center_momentum
        self.momentum = momentum
        self.patch_weight = patch_weight
        self.koleo_weight = koleo_weight
        self.layer_decay = layer_decay
        self.freeze_prototypes_steps = freeze_prototypes_steps
        width = layers.output_dim(self.projector, self.feature_width)
        num_prototypes = layers.output_dim(self.prototypes, width)
        self.center = self.add_state("center", (num_prototypes,))
        self.patch_center = self.add_state("patch_center", (num_prototypes,))
        self.mask_token = self.add_weight((encoder.width,), "zeros", name="mask_token")
        self.add_ema_copies(*self._teacher_heads)

    def default_views(self, size: Size) -> Views:
        return views.dinov2(size, self.encoder.patch_size)

    def compile(self, optimizer="sgd", *args, **kwargs) -> None:
        """Configures training. See `SelfSupervisedModel.compile`.

        With `layer_decay` below 1, the optimizer becomes a `keras.optimizers.MultiOptimizer`.
        """
        with distribute.strategy_scope(self):
            optimizer = keras.optimizers.get(optimizer)
            if self.layer_decay != 1:
                distribute.check_same_strategy(self, optimizer)
                optimizer = parameter_groups.with_parameter_groups(
                    optimizer,
                    self._layer_groups,
                    self.trainable_variables,
                    name=OPTIMIZER_NAME,
                    argument="layer_decay",
                )
        super().compile(optimizer, *args, **kwargs)

    def freeze_schedule(self) -> tuple[tuple[keras.Layer, int], ...]:
        heads = [self.prototypes] if self.shared_head else [self.prototypes, self.patch_prototypes]
        return tuple((head, self.freeze_prototypes_steps) for head in heads)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the weighted sum of the DINO, iBOT and KoLeo terms over the full batch."""
        large, small = batch.views[:NUM_LARGE_CROPS], batch.views[NUM_LARGE_CROPS:-NUM_LARGE_CROPS]
        mask = ops.cast(ops.concatenate(batch.views[-NUM_LARGE_CROPS:], axis=0), "bool")
        large = ops.concatenate(large, axis=0)
        student = self.encoder.tokens(large, training, mask=mask, mask_token=self.mask_token)
        teacher = self.momentum_encoder.tokens(large, training)
        student_crops = ops.split(student.class_token, NUM_LARGE_CROPS, axis=0)
        teacher_crops = ops.split(teacher.class_token, NUM_LARGE_CROPS, axis=0)
        student_crops = [*student_crops, *self._class_tokens(small, training)]
        student_temperature = self.current_value(self.student_temperature)
        teacher_temperature = self.current_value(self.teacher_temperature)
        temperatures = student_temperature, teacher_temperature

        s = [distribute.all_gather(self._scores(crop, training)) for crop in student_crops]
        t = [
            distribute.all_gather(self._scores(crop, training, momentum=True))
            for crop in teacher_crops
        ]
        terms = {"dino": self._dino_term(s, t, *temperatures)}
        mask = distribute.all_gather(ops.cast(mask, t[0].dtype))
        s_patches = distribute.all_gather(self._scores(student.patches, training, patches=True))
        t_patches = distribute.all_gather(
            self._scores(teacher.patches, training, patches=True, momentum=True)
        )
        terms["ibot"] = self._ibot_term(s_patches, t_patches, mask, *temperatures)
        terms["koleo"] = sum(
            losses.koleo(distribute.all_gather(crop)) for crop in student_crops[:NUM_LARGE_CROPS]
        )
        if training and self.centering == "running_mean":
            self._update_centers(t, t_patches, mask)
        loss = terms["dino"] + self.patch_weight * terms["ibot"]
        return {"loss": loss + self.koleo_weight * terms["koleo"], **terms}

    def on_step_end(self) -> None:
        self.update_ema_copies(*self._teacher_heads)

    def _make_heads(self, projector, prototypes):
        projector = layers.projection_head(projector, self.feature_width, activation=layers.gelu)
        width = layers.output_dim(projector, self.feature_width)
        return projector, layers.prototype_head(prototypes, width)

    def _layer_groups(self, optimizer):
        """Yields the weights of each depth and their learning rate; the heads are left out."""
        embedding, *blocks = self.encoder.weights_by_depth()
        groups = [[*embedding, self.mask_token], *blocks]
        for depth, weights in enumerate(groups):
            factor = self.layer_decay ** (len(groups) - depth)
            yield weights, parameter_groups.scaled_learning_rate(optimizer, factor)

    def _class_tokens(self, crops, training):
        """Returns the class tokens of small crops, encoding all crops of one size together."""
        class_tokens = []
        for _, same_size in itertools.groupby(crops, key=lambda crop: tuple(crop.shape[1:])):
            same_size = list(same_size)
            tokens = self.encoder.tokens(ops.concatenate(same_size, axis=0), training)
            class_tokens += ops.split(tokens.class_token, len(same_size), axis=0)
        return class_tokens

    def _scores(self, tokens, training, patches=False, momentum=False):
        """Returns the float32 scores of tokens `(..., D)` against the prototypes, `(..., K)`."""
        prefix = "patch_" if patches and not self.shared_head else ""
        prefix = ("momentum_" if momentum else "") + prefix
        rows = ops.reshape(tokens, (-1, tokens.shape[-1]))
        projected = getattr(self, f"{prefix}projector")(rows, training=training)
        scores = as_float(getattr(self, f"{prefix}prototypes")(projected))
        return ops.reshape(scores, (*ops.shape(tokens)[:-1], scores.shape[-1]))

    def _dino_term(self, student, teacher, student_temperature, teacher_temperature):
        """Returns the loss of each large crop's teacher and every other crop's student."""
        if self.centering == "running_mean":
            return mean_over_ordered_pairs(
                lambda s, t: losses.dino(
                    s, t, self.center, student_temperature, teacher_temperature
                ),
                student,
                teacher,
            )
        assigned = losses.sinkhorn(ops.concatenate(teacher, axis=0), epsilon=teacher_temperature)
        assigned = ops.split(assigned, NUM_LARGE_CROPS, axis=0)
        return mean_over_ordered_pairs(
            lambda s, a: losses.swav(s, a, temperature=student_temperature), student, assigned
        )

    def _ibot_term(self, student, teacher, mask, student_temperature, teacher_temperature):
        """Returns the loss of the masked patches and the teacher's patches of the same crop."""
        if self.centering == "running_mean":
            return losses.ibot(
                student, teacher, mask, self.patch_center, student_temperature, teacher_temperature
            )
        rows = ops.reshape(teacher, (-1, teacher.shape[-1]))
        weights = ops.reshape(mask, (-1,))
        assigned = losses.sinkhorn(rows, epsilon=teacher_temperature, weights=weights)
        # `losses.ibot` takes scores: these are scores whose softmax is the assignment.
        scores = ops.reshape(ops.log(assigned + 1e-30), ops.shape(teacher))
        no_center = 0.0 * self.patch_center
        return losses.ibot(student, scores, mask, no_center, student_temperature, 1.0)

    def _update_centers(self, teacher, patches, mask):
        """Updates the running means of the teacher's class token and masked patch scores."""
        batch_center = sum(mean(t, axis=0) for t in teacher) / len(teacher)
        self.update_running_mean(self.center, batch_center, self.center_momentum)
        count = ops.sum(mask)
        patch_center = ops.sum(mask[:, :, None] * patches, axis=(0, 1)) / ops.maximum(count, 1.0)
        patch_center = ops.where(count > 0, patch_center, ops.convert_to_tensor(self.patch_center))
        self.update_running_mean(self.patch_center, patch_center, self.center_momentum)


def _clone(head):
    """Returns an untrained copy of a layer; widths and counts are returned unchanged."""
    return type(head).from_config(head.get_config()) if isinstance(head, keras.Layer) else head
