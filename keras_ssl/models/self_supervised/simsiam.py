"""SimSiam."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.optimizers import parameter_groups
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_optional_schedule

OPTIMIZER_NAME = "predictor_group"  # identifies the MultiOptimizer that `compile` builds


@keras.saving.register_keras_serializable("keras_ssl")
class SimSiam(SelfSupervisedModel):
    """SimSiam: predict the other view's projection, with a stop-gradient instead of negatives.

    Use it when memory is limited and batches are small. It has no negatives, no momentum encoder
    and no queue, and a batch size of 64 is enough. A step runs the encoder on two views of each
    image. It learns more slowly than BYOL at first, and it may collapse: use
    `callbacks.CollapseMonitor`.

    `fit` logs `loss`, which is in -1..1 and starts at about 0. Lower is better, but a loss that
    drops to -1 within a few steps means collapse. A safe starting point is SGD with learning rate
    0.06 * B / 256, momentum 0.9 and cosine decay.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        learning_rate = keras.optimizers.schedules.CosineDecay(0.06, decay_steps=10_000)
        model = keras_ssl.SimSiam(encoder, predictor_learning_rate=0.06)  # constant
        model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with batch norm and ReLU between them and batch norm
            without scale and offset at the end, or a Keras layer from `(B, D)` to `(B, width)`.
        predictor: Widths of dense layers with batch norm and ReLU between them and a linear output,
            ending in the projector's width; or a Keras layer from `(B, width)` to `(B, width)`.
            None for `(width // 4, width)`.
        predictor_learning_rate: Float >= 0 or Keras schedule, the learning rate of the predictor.
            `compile` then creates a second optimizer like the given one, with this rate. None to
            train the predictor at the same rate as the other weights. The authors use a constant
            rate, equal to the initial rate of the other weights.
        views: Sequence of V >= 2 views. None for `views.simsiam` at the size of the images. With
            more than two views, the loss is the mean over all ordered pairs.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, the predictor's width is not the projector's, or
            the encoder is not as described.

    Source:
        Chen and He 2020, https://arxiv.org/abs/2011.10566, algorithm 1 and section 4; the constant
        rate is `fix_pred_lr` in the authors' code.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (2048, 2048, 2048),
        predictor: Head | None = None,
        predictor_learning_rate: FloatOrSchedule | None = None,
        **kwargs,
    ) -> None:
        check_optional_schedule(predictor_learning_rate=predictor_learning_rate)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(
            projector, self.feature_width, batch_norm=True, final_batch_norm="no_affine"
        )
        width = layers.output_dim(self.projector, self.feature_width)
        self.predictor = layers.prediction_head(predictor, width, hidden=max(1, width // 4))
        self.predictor_learning_rate = predictor_learning_rate

    def default_views(self, size: Size) -> Views:
        return views.simsiam(size)

    def compile(self, optimizer="sgd", *args, **kwargs) -> None:
        """Configures training. See `SelfSupervisedModel.compile`.

        With `predictor_learning_rate`, the optimizer becomes a `keras.optimizers.MultiOptimizer`.
        """
        with distribute.strategy_scope(self):
            optimizer = keras.optimizers.get(optimizer)
            if self.predictor_learning_rate is not None:
                distribute.check_same_strategy(self, optimizer)
                group = (self.predictor.trainable_variables, self.predictor_learning_rate)
                optimizer = parameter_groups.with_parameter_groups(
                    optimizer,
                    lambda _: [group],
                    self.trainable_variables,
                    name=OPTIMIZER_NAME,
                    argument="predictor_learning_rate",
                )
        super().compile(optimizer, *args, **kwargs)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the negative cosine of each prediction and the other views' projections."""
        z = [self.project(view, training) for view in batch.views]
        predictions = [distribute.all_gather(self.predictor(x, training=training)) for x in z]
        targets = [distribute.all_gather(x) for x in z]
        return {"loss": mean_over_ordered_pairs(losses.negative_cosine, predictions, targets)}
