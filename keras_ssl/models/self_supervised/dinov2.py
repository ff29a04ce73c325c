"""DINOv2: DINO on whole images, iBOT on masked patches, and features that spread."""

import itertools

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl.encoders.interface import check_vision_transformer
from keras_ssl.numerics import as_float, mean
from keras_ssl.optimizers import parameter_groups
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import (
    check_fraction,
    check_int,
    check_momentum,
    check_non_negative,
    check_number,
    check_positive,
    check_schedule,
)

SPLIT = "layer_decay"  # name of the optimizer that knows a rate for each block
LARGE = 2  # crops that the teacher sees
CENTERINGS = ("sinkhorn_knopp", "running_mean")


@keras.saving.register_keras_serializable("keras_ssl")
class DINOv2(SelfSupervisedModel):
    """Learns a vision transformer from crops and masked patches, by a momentum teacher.

    Three terms: class tokens of all crops predict the teacher's of the large ones (DINO), masked
    patches of the large crops the teacher's patches (iBOT), and class tokens keep their distance
    (KoLeo). Choose it for transformers whose patches are to be of use too, in dense tasks; plain
    DINO is simpler and cheaper. It costs a second encoder in memory, and scores of every patch:
    2 * B * patches * prototypes numbers, twice. `fit` logs `loss` and the terms `dino`, `ibot` and
    `koleo`. A safe start is AdamW, learning rate 5e-4 * B / 256, weight decay 0.04, warm-up,
    cosine decay, and `clipnorm=3.0`.

        encoder = keras_ssl.encoders.vit((32, 32, 3), patch_size=4, registers=4)
        model = keras_ssl.DINOv2(encoder)
        model.compile(keras.optimizers.AdamW(5e-4, weight_decay=0.04, clipnorm=3.0))
        model.fit(images, batch_size=256, epochs=100)

    Args:
        encoder: What `encoders.vit` returns.
        projector: Tuple of widths with GELU between, linear at the end; or a keras layer.
        prototypes: Int >= 2, or a keras layer from projections to scores.
        shared_head: Bool, whether patches pass the same projector and prototypes as class tokens;
            else they have their own, `patch_projector` and `patch_prototypes`, made alike.
        student_temperature: Float > 0 or Keras schedule by steps.
        teacher_temperature: Float > 0 or Keras schedule by steps; rises from 0.04 to 0.07 in the
            paper.
        centering: "sinkhorn", which uses all prototypes alike within a batch, or "center", which
            takes a running mean off the teacher's scores, as DINO does.
        center_momentum: Float in 0..1, how much of that mean stays at each step.
        momentum: Float in 0..1 or Keras schedule by steps: how much of the teacher stays.
        patch_weight: Float >= 0, of the iBOT term.
        koleo_weight: Float >= 0, of the KoLeo term, a sum over the two large crops.
        layer_decay: Float above 0 and at most 1: each block of the encoder has the learning rate of
            the block after it times this, the embedding of patches the smallest; 0.9 in the
            authors' code. Below 1 the optimizer becomes a `keras.optimizers.MultiOptimizer`, which
            knows no `clipnorm` over all weights and no one learning rate.
        freeze_prototypes_steps: Int >= 0, steps in which the prototypes stay as they were drawn.
        views: Sequence of V >= 2 views, of which the first two are the large crops, then two of
            masks for these; None for `views.dinov2` at the size of the images. Ready views are
            such tuples too.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Oquab et al. 2023, https://arxiv.org/abs/2304.07193, section 4; DINO of Caron et al. 2021,
        https://arxiv.org/abs/2104.14294; iBOT of Zhou et al. 2021, https://arxiv.org/abs/2111.07832.
    """

    allows_small_crops = True
    num_masks = LARGE
    unsupported_compile_args = {
        **SelfSupervisedModel.unsupported_compile_args,
        "microbatches": "the encoder passes the tokens of all images of a batch at a time",
    }

    def __init__(
        self,
        encoder,
        *,
        projector=(2048, 2048, 256),
        prototypes=4096,
        shared_head=False,
        student_temperature=0.1,
        teacher_temperature=0.07,
        centering="sinkhorn_knopp",
        center_momentum=0.9,
        momentum=0.992,
        patch_weight=1.0,
        koleo_weight=0.1,
        layer_decay=1.0,
        freeze_prototypes_steps=0,
        **kwargs,
    ):
        check_vision_transformer(encoder)
        temperatures = {
            "student_temperature": student_temperature,
            "teacher_temperature": teacher_temperature,
        }
        check_schedule(**temperatures)
        check_positive(**temperatures)
        if not isinstance(centering, str) or centering not in CENTERINGS:
            raise ValueError(f"`centering` must be one of {CENTERINGS}, received {centering!r}.")
        if not isinstance(shared_head, bool):
            raise TypeError(f"`shared_head` must be a bool, received {shared_head!r}.")
        weights = {"patch_weight": patch_weight, "koleo_weight": koleo_weight}
        check_number(center_momentum=center_momentum, **weights)
        check_non_negative(**weights)
        check_momentum(momentum=momentum, center_momentum=center_momentum)
        check_int(0, freeze_prototypes_steps=freeze_prototypes_steps)
        check_fraction(layer_decay=layer_decay)
        check_positive(layer_decay=layer_decay)
        super().__init__(encoder, **kwargs)
        own = [("projector", "prototypes")]
        own += [] if shared_head else [("patch_projector", "patch_prototypes")]
        for first, second in own:
            head = projector
            if isinstance(projector, keras.Layer) and first != "projector":
                head = type(projector).from_config(projector.get_config())
            head = layers.projection_head(head, self.feature_width, activation=layers.gelu)
            width = layers.output_dim(head, self.feature_width)
            scores = prototypes
            if isinstance(prototypes, keras.Layer) and first != "projector":
                scores = type(prototypes).from_config(prototypes.get_config())
            setattr(self, first, head)
            setattr(self, second, layers.prototype_head(scores, width))
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
        count = layers.output_dim(self.prototypes, width)
        self.center = self.add_state("center", (count,))
        self.patch_center = self.add_state("patch_center", (count,))
        self.mask_token = self.add_weight((encoder.width,), "zeros", name="mask_token")
        self.copied_heads = tuple(name for pair in own for name in pair)[1:]
        self.add_ema_copies(*self.copied_heads)

    def default_views(self, size):
        """`views.dinov2(size, patch_size)`."""
        return views.dinov2(size, self.encoder.patch_size)

    def compile(self, optimizer="sgd", *args, **kwargs):
        """As `SelfSupervisedModel.compile`; gives each block its own rate with a `layer_decay`."""
        with distribute.strategy_scope(self):
            optimizer = keras.optimizers.get(optimizer)
            if self.layer_decay != 1:
                distribute.check_same_strategy(self, optimizer)
                optimizer = parameter_groups.with_parameter_groups(
                    *(optimizer, self._by_depth, self.trainable_variables),
                    name=SPLIT,
                    argument="layer_decay",
                )
        super().compile(optimizer, *args, **kwargs)

    def freeze_schedule(self):
        """The prototypes."""
        layers = [self.prototypes] + ([] if self.shared_head else [self.patch_prototypes])
        return tuple((layer, self.freeze_prototypes_steps) for layer in layers)

    def compute_losses(self, batch, training):
        """All three terms, over the whole batch of all replicas."""
        large, masks = batch.views[:LARGE], batch.views[-LARGE:]
        mask = ops.cast(ops.concatenate(masks, axis=0), "bool")
        together = ops.concatenate(large, axis=0)
        student = self.encoder.tokens(together, training, mask=mask, mask_token=self.mask_token)
        teacher = self.momentum_encoder.tokens(together, training)
        crops = ops.split(student.class_token, LARGE, axis=0)
        crops += self._class_tokens(batch.views[LARGE:-LARGE], training)
        warm = self.current_value(self.student_temperature)
        cool = self.current_value(self.teacher_temperature)

        s = [distribute.all_gather(self._scores(x, training)) for x in crops]
        t = [
            distribute.all_gather(self._scores(x, training, momentum=True))
            for x in ops.split(teacher.class_token, LARGE, axis=0)
        ]
        terms = {"dino": self._class_term(s, t, warm, cool)}
        mask = distribute.all_gather(ops.cast(mask, t[0].dtype))
        s_patches = distribute.all_gather(self._scores(student.patches, training, patches=True))
        t_patches = distribute.all_gather(
            self._scores(teacher.patches, training, patches=True, momentum=True)
        )
        terms["ibot"] = self._patch_term(s_patches, t_patches, mask, warm, cool)
        terms["koleo"] = sum(losses.koleo(distribute.all_gather(x)) for x in crops[:LARGE])
        if training and self.centering == "center":
            self._move_centers(t, t_patches, mask)
        total = terms["dino"] + self.patch_weight * terms["ibot"]
        return {"loss": total + self.koleo_weight * terms["koleo"], **terms}

    def on_step_end(self):
        """Moves the teacher."""
        self.update_ema_copies(*self.copied_heads)

    def _by_depth(self, optimizer):
        """Pairs of the weights of a depth and their learning rate; heads keep the optimizer's."""
        first, *blocks = self.encoder.weights_by_depth()
        groups = [[*first, self.mask_token], *blocks]
        for depth, weights in enumerate(groups):
            factor = self.layer_decay ** (len(groups) - depth)
            yield weights, parameter_groups.scaled_learning_rate(optimizer, factor)

    def _class_tokens(self, crops, training):
        """Class tokens of small crops, those of one size in one pass."""
        tokens = []
        for _, same_size in itertools.groupby(crops, key=lambda crop: tuple(crop.shape[1:])):
            same_size = list(same_size)
            found = self.encoder.tokens(ops.concatenate(same_size, axis=0), training)
            tokens += ops.split(found.class_token, len(same_size), axis=0)
        return tokens

    def _scores(self, tokens, training, patches=False, momentum=False):
        """Scores of tokens against the prototypes, float32."""
        kind = "patch_" if patches and not self.shared_head else ""
        kind = ("momentum_" if momentum else "") + kind
        rows = ops.reshape(tokens, (-1, tokens.shape[-1]))
        projected = getattr(self, f"{kind}projector")(rows, training=training)
        scores = as_float(getattr(self, f"{kind}prototypes")(projected))
        return ops.reshape(scores, (*ops.shape(tokens)[:-1], scores.shape[-1]))

    def _class_term(self, student, teacher, warm, cool):
        """Every crop's student against each large crop's teacher, but its own."""
        if self.centering == "center":
            return mean_over_ordered_pairs(
                lambda s, t: losses.dino(s, t, self.center, warm, cool), student, teacher
            )
        assigned = losses.sinkhorn(ops.concatenate(teacher, axis=0), epsilon=cool)
        assigned = ops.split(assigned, LARGE, axis=0)
        return mean_over_ordered_pairs(
            lambda s, a: losses.swav(s, a, temperature=warm), student, assigned
        )

    def _patch_term(self, student, teacher, mask, warm, cool):
        """Masked patches against the teacher's of the same crop."""
        if self.centering == "center":
            return losses.ibot(student, teacher, mask, self.patch_center, warm, cool)
        rows = ops.reshape(teacher, (-1, teacher.shape[-1]))
        assigned = losses.sinkhorn(rows, epsilon=cool, weights=ops.reshape(mask, (-1,)))
        # As scores whose softmax they are.
        scores = ops.reshape(ops.log(assigned + 1e-30), ops.shape(teacher))
        return losses.ibot(student, scores, mask, 0.0 * self.patch_center, warm, 1.0)

    def _move_centers(self, teacher, patches, mask):
        """Running means of the teacher's scores: of class tokens, and of masked patches."""
        batch_center = sum(mean(t, axis=0) for t in teacher) / len(teacher)
        self.update_running_mean(self.center, batch_center, self.center_momentum)
        count = ops.sum(mask)
        masked = ops.sum(mask[:, :, None] * patches, axis=(0, 1)) / ops.maximum(count, 1.0)
        masked = ops.where(count > 0, masked, ops.convert_to_tensor(self.patch_center))
        self.update_running_mean(self.patch_center, masked, self.center_momentum)
