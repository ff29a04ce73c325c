"""SimSiam: one network on both sides, kept from collapse by a predictor and a stopped gradient."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl.optimizers import parameter_groups
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_optional_schedule

SPLIT = "predictor_apart"  # name of the optimizer that knows two rates


@keras.saving.register_keras_serializable("keras_ssl")
class SimSiam(SelfSupervisedModel):
    """Learns an encoder by predicting one view's projection from the other's.

    Choose it where memory is short and batches are small: no negatives, no momentum encoder, no
    queue; two passes a step, and 64 images a batch are enough. Against that it learns more slowly
    than BYOL at first, and it may collapse: watch `callbacks.CollapseMonitor`. `fit` logs `loss`,
    -1 at best and about 0 at the start; a loss that falls to -1 at once is a collapse. A safe start
    is SGD, learning rate 0.06 * B / 256, momentum 0.9, cosine decay.

        falling = keras.optimizers.schedules.CosineDecay(0.06, decay_steps=10_000)
        model = keras_ssl.SimSiam(encoder, predictor_learning_rate=0.06)  # does not fall
        model.compile(keras.optimizers.SGD(falling, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths with batch norm and ReLU between, batch norm without scale and
            offset at the end; or a keras layer.
        predictor: Tuple of widths with batch norm and ReLU between, linear at the end, the last of
            them the projector's; or a keras layer. None for a quarter of that width, then it.
        predictor_learning_rate: Float or Keras schedule, the predictor's own learning rate, in an
            optimizer otherwise like the one given to `compile`; None for the same rate as the
            rest. A constant one, the initial rate of the rest, is what the authors train with.
        views: Sequence of V >= 2 views; None for `views.simsiam` at the size of the images. With
            more than two views the loss is the mean over all ordered pairs.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, the predictor's width is not the projector's, or
            the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Chen and He 2020, https://arxiv.org/abs/2011.10566, algorithm 1 and section 4; the constant
        rate is the authors' code's `fix_pred_lr`.
    """

    def __init__(
        self,
        encoder,
        *,
        projector=(2048, 2048, 2048),
        predictor=None,
        predictor_learning_rate=None,
        **kwargs,
    ):
        check_optional_schedule(predictor_learning_rate=predictor_learning_rate)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(
            projector, self.feature_width, batch_norm=True, final_batch_norm="no_affine"
        )
        width = layers.output_dim(self.projector, self.feature_width)
        self.predictor = layers.prediction_head(predictor, width, hidden=max(1, width // 4))
        self.predictor_learning_rate = predictor_learning_rate

    def default_views(self, size):
        """`views.simsiam(size)`."""
        return views.simsiam(size)

    def compile(self, optimizer="sgd", *args, **kwargs):
        """As `SelfSupervisedModel.compile`; gives the predictor its own rate where one is set."""
        with distribute.strategy_scope(self):
            optimizer = keras.optimizers.get(optimizer)
            if self.predictor_learning_rate is not None:
                distribute.check_same_strategy(self, optimizer)
                own = [(self.predictor.trainable_variables, self.predictor_learning_rate)]
                optimizer = parameter_groups.with_parameter_groups(
                    *(optimizer, lambda _: own, self.trainable_variables),
                    name=SPLIT,
                    argument="predictor_learning_rate",
                )
        super().compile(optimizer, *args, **kwargs)

    def compute_losses(self, batch, training):
        """Negative cosine of predictions and the other views' projections."""
        z = [self.project(view, training) for view in batch.views]
        p = [distribute.all_gather(self.predictor(each, training=training)) for each in z]
        z = [distribute.all_gather(each) for each in z]
        return {"loss": mean_over_ordered_pairs(losses.negative_cosine, p, z)}
