"""Barlow Twins."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import Head, Size, Tensor, Views
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_pairs
from keras_ssl.validation import check_number


@keras.saving.register_keras_serializable("keras_ssl")
class BarlowTwins(SelfSupervisedModel):
    """Barlow Twins: make the cross-correlation matrix of two views the identity.

    Use it when batches are small and you want to avoid a momentum encoder. It has no negatives and
    no asymmetry, and a batch size of 128 is enough. A step runs the encoder on two views of each
    image. It gains from wide projectors; the correlation matrix takes D x D floats.

    `fit` logs `loss` and its two unweighted terms, `invariance` (the diagonal) and `redundancy`
    (all other elements). All are at least 0. The loss is a sum over dimensions and starts in the
    thousands for wide projectors, so learning rates are small. A safe starting point is Adam with
    learning rate 1e-3, or LARS with learning rate 0.3 for a projector width of 2048.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        model = keras_ssl.BarlowTwins(encoder)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with batch norm and ReLU between them and a linear output,
            or a Keras layer from `(B, D)` to `(B, width)`.
        redundancy_weight: Float >= 0, the paper's lambda.
        views: Sequence of V >= 2 views. None for `views.barlow_twins` at the size of the images.
            With more than two views, the loss is the mean over all pairs.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If `redundancy_weight` is below 0, or the encoder is not as described.

    Source:
        Zbontar et al. 2021, https://arxiv.org/abs/2103.03230, algorithm 1.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (2048, 2048, 2048),
        redundancy_weight: float = 0.0051,
        **kwargs,
    ) -> None:
        check_number(0, redundancy_weight=redundancy_weight)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        self.redundancy_weight = redundancy_weight

    def default_views(self, size: Size) -> Views:
        return views.barlow_twins(size)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the two terms of the cross-correlation matrix of the full batch."""
        z = [distribute.all_gather(self.project(view, training)) for view in batch.views]
        terms = mean_over_pairs(losses.barlow_twins_terms, z)
        loss = terms["invariance"] + self.redundancy_weight * terms["redundancy"]
        return {"loss": loss, **terms}
