"""VICReg: views agree, every dimension varies, no two dimensions covary."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_pairs
from keras_ssl.validation import check_non_negative, check_number


@keras.saving.register_keras_serializable("keras_ssl")
class VICReg(SelfSupervisedModel):
    """Learns an encoder by three plain terms: variance, invariance, covariance.

    Choose it for short schedules and for understanding: it states what collapse is and forbids it,
    term by term, without negatives, momentum encoder or normalized projections. Batches of 256 are
    comfortable; memory grows with the square of the projector's width (D x D floats). `fit` logs
    `loss` and the three terms, not weighted: `invariance`, `variance` (0 once every dimension has a
    standard deviation of 1) and `covariance`. The loss starts in the tens: a learning rate that
    suits SimCLR may give NaN here. A safe start is Adam at 1e-3, or LARS, learning rate 0.3.

        model = keras_ssl.VICReg(encoder)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths with batch norm and ReLU between, linear at the end; or a keras
            layer.
        invariance: Float >= 0, weight of the mean squared distance of the views.
        variance: Float >= 0, weight of the hinge on standard deviations.
        covariance: Float >= 0, weight of the squared covariances.
        views: Sequence of V >= 2 views; None for `views.vicreg` at the size of the images. With
            more than two views the loss is the mean over all pairs.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a weight is below 0, or the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Bardes et al. 2021, https://arxiv.org/abs/2105.04906, algorithm 1.
    """

    def __init__(
        self,
        encoder,
        *,
        projector=(2048, 2048, 2048),
        invariance=25.0,
        variance=25.0,
        covariance=1.0,
        **kwargs,
    ):
        weights = {"invariance": invariance, "variance": variance, "covariance": covariance}
        check_number(**weights)
        check_non_negative(**weights)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance

    def default_views(self, size):
        """`views.vicreg(size)`."""
        return views.vicreg(size)

    def compute_losses(self, batch, training):
        """Variance and covariance over all replicas."""
        z = [distribute.all_gather(self.project(view, training)) for view in batch.views]
        terms = mean_over_pairs(losses.vicreg_terms, z)
        loss = (
            self.invariance * terms["invariance"]
            + self.variance * terms["variance"]
            + self.covariance * terms["covariance"]
        )
        return {"loss": loss, **terms}
