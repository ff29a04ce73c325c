"""VICReg."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import Head, Size, Tensor, Views
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_pairs
from keras_ssl.validation import check_number


@keras.saving.register_keras_serializable("keras_ssl")
class VICReg(SelfSupervisedModel):
    """VICReg: regularize variance, invariance and covariance of the projections.

    Use it for short schedules, or when you want to see why training works: each term of the loss
    prevents one kind of failure. It has no negatives, no momentum encoder and no normalization of
    projections. A batch size of 256 works well. A step runs the encoder on two views of each image.
    The covariance matrix takes D x D floats.

    `fit` logs `loss` and its three unweighted terms: `invariance`, `variance` (0 once every
    dimension has a standard deviation of at least 1) and `covariance`. All are at least 0. The loss
    starts in the tens, so a learning rate that suits SimCLR may give NaN here. A safe starting
    point is Adam with learning rate 1e-3, or LARS with learning rate 0.3.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        model = keras_ssl.VICReg(encoder)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with batch norm and ReLU between them and a linear output,
            or a Keras layer from `(B, D)` to `(B, width)`.
        invariance: Float >= 0, weight of the mean squared distance between views.
        variance: Float >= 0, weight of the hinge loss on standard deviations.
        covariance: Float >= 0, weight of the squared covariances.
        views: Sequence of V >= 2 views. None for `views.vicreg` at the size of the images. With
            more than two views, the loss is the mean over all pairs.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a weight is below 0, or the encoder is not as described.

    Source:
        Bardes et al. 2021, https://arxiv.org/abs/2105.04906, algorithm 1.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (2048, 2048, 2048),
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        **kwargs,
    ) -> None:
        check_number(0, invariance=invariance, variance=variance, covariance=covariance)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance

    def default_views(self, size: Size) -> Views:
        return views.vicreg(size)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the weighted sum of the three terms, over the full batch."""
        z = [distribute.all_gather(self.project(view, training)) for view in batch.views]
        terms = mean_over_pairs(losses.vicreg_terms, z)
        loss = (
            self.invariance * terms["invariance"]
            + self.variance * terms["variance"]
            + self.covariance * terms["covariance"]
        )
        return {"loss": loss, **terms}
