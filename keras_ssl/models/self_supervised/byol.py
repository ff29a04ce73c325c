"""BYOL."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_momentum


@keras.saving.register_keras_serializable("keras_ssl")
class BYOL(SelfSupervisedModel):
    """BYOL: predict a momentum encoder's projection of the other view, without negatives.

    Use it for long runs with moderate batch sizes. It is less sensitive to batch size (256 is
    enough) and color augmentation than contrastive methods. It keeps a second encoder in memory,
    and a step runs four forward passes per image, two of them without a gradient.

    `fit` logs `loss`, the sum over both directions. It is in 0..8 and starts at about 4. Lower is
    better. A safe starting point is SGD with learning rate 0.06 * B / 128, momentum 0.9 and cosine
    decay.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        momentum = keras_ssl.schedules.CosineMomentum(0.99, decay_steps=10_000)
        model = keras_ssl.BYOL(encoder, momentum=momentum)  # the momentum rises to 1
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with batch norm and ReLU between them and a linear output,
            or a Keras layer from `(B, D)` to `(B, width)`.
        predictor: Widths like those of `projector`, ending in the projector's width; or a Keras
            layer from `(B, width)` to `(B, width)`. None for `(16 * width, width)`.
        momentum: Float in 0..1 or Keras schedule, the decay of the moving averages
            `momentum_encoder` and `momentum_projector`. Their batch norm normalizes with batch
            statistics and keeps its own moving statistics, as in the authors' code.
        views: Sequence of V >= 2 views. None for `views.byol`, two different views, at the size of
            the images. With more than two views, the loss is twice the mean over ordered pairs.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, the predictor's width is not the projector's, or
            the encoder is not as described.

    Source:
        Grill et al. 2020, https://arxiv.org/abs/2006.07733, equations 1 to 3 and algorithm 1.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (4096, 256),
        predictor: Head | None = None,
        momentum: FloatOrSchedule = 0.996,
        **kwargs,
    ) -> None:
        check_momentum(momentum=momentum)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        width = layers.output_dim(self.projector, self.feature_width)
        self.predictor = layers.prediction_head(predictor, width, hidden=16 * width)
        self.momentum = momentum
        self.add_ema_copies()

    def default_views(self, size: Size) -> Views:
        return views.byol(size)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the loss of each view's prediction and the target from the other view."""
        z = [self.project(view, training) for view in batch.views]
        predictions = [distribute.all_gather(self.predictor(x, training=training)) for x in z]
        targets = [
            distribute.all_gather(self.project(view, training, momentum=True))
            for view in batch.views
        ]
        return {"loss": 2.0 * mean_over_ordered_pairs(losses.byol, predictions, targets)}

    def on_step_end(self) -> None:
        self.update_ema_copies()
