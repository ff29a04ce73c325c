"""BYOL: predict what a slowly moving copy of the network makes of the other view."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_momentum


@keras.saving.register_keras_serializable("keras_ssl")
class BYOL(SelfSupervisedModel):
    """Learns an encoder by predicting its momentum copy's projection of the other view.

    Choose it for the best features of long runs with moderate batches: no negatives, and little
    sensitive to batch size (256 will do) or colors. It costs a second encoder in memory and four
    passes a step, two of them without gradient. `fit` logs `loss`, the sum of both directions, in
    0..8, about 4 at the start. A safe start is SGD, learning rate 0.06 * B / 128, momentum 0.9,
    cosine decay.

        momentum = keras_ssl.schedules.CosineMomentum(0.99, decay_steps=10_000)  # rises to 1 over the run
        model = keras_ssl.BYOL(encoder, momentum=momentum)
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths with batch norm and ReLU between, linear at the end; or a keras
            layer.
        predictor: Likewise, the last width being the projector's; None for 16 times that width,
            then it.
        momentum: Float in 0..1 or Keras schedule by steps: how much of `momentum_encoder` and
            `momentum_projector` stays at each step. Batch norm of the copies sees the batch, and
            keeps its own moving statistics, as in the authors' code.
        views: Sequence of V >= 2 views; None for `views.byol` (two different ones) at the size of
            the images. With more than two views the loss is twice the mean over ordered pairs.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, the predictor's width is not the projector's, or
            the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Grill et al. 2020, https://arxiv.org/abs/2006.07733, equations 1 to 3 and algorithm 1.
    """

    def __init__(self, encoder, *, projector=(4096, 256), predictor=None, momentum=0.996, **kwargs):
        check_momentum(momentum=momentum)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        width = layers.output_dim(self.projector, self.feature_width)
        self.predictor = layers.prediction_head(predictor, width, hidden=16 * width)
        self.momentum = momentum
        self.add_ema_copies()

    def default_views(self, size):
        """`views.byol(size)`."""
        return views.byol(size)

    def compute_losses(self, batch, training):
        """Both directions: a prediction from each view, the target from the other."""
        online = [self.project(view, training) for view in batch.views]
        p = [distribute.all_gather(self.predictor(each, training=training)) for each in online]
        z = [
            distribute.all_gather(self.project(view, training, momentum=True))
            for view in batch.views
        ]
        return {"loss": 2.0 * mean_over_ordered_pairs(losses.byol, p, z)}

    def on_step_end(self):
        """Moves the momentum copies."""
        self.update_ema_copies()
