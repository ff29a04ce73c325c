"""Barlow Twins: the views' projections correlate dimension by dimension, and nowhere else."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_pairs
from keras_ssl.validation import check_non_negative, check_number


@keras.saving.register_keras_serializable("keras_ssl")
class BarlowTwins(SelfSupervisedModel):
    """Learns an encoder whose projections of two views are equal, and free of redundancy.

    Choose it where batches are small and a momentum encoder is unwelcome: no negatives, no
    asymmetry, one network; it gains from wide projectors, of which it correlates all dimensions
    (D x D floats), and works with 128 images a batch. `fit` logs `loss` and its two sums, not
    weighted, `invariance` (diagonal) and `redundancy` (all else). The loss is a sum over
    dimensions, thousands at the start for wide projectors: learning rates are small. A safe start
    is Adam at 1e-3, or LARS, learning rate 0.3, for a projector of 2048.

        model = keras_ssl.BarlowTwins(encoder)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths with batch norm and ReLU between, linear at the end; or a keras
            layer.
        redundancy_weight: Float >= 0, the paper's lambda.
        views: Sequence of V >= 2 views; None for `views.barlow_twins` at the size of the images.
            With more than two views the loss is the mean over all pairs.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If `redundancy_weight` is below 0, or the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Zbontar et al. 2021, https://arxiv.org/abs/2103.03230, algorithm 1.
    """

    def __init__(
        self, encoder, *, projector=(2048, 2048, 2048), redundancy_weight=0.0051, **kwargs
    ):
        check_number(redundancy_weight=redundancy_weight)
        check_non_negative(redundancy_weight=redundancy_weight)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        self.redundancy_weight = redundancy_weight

    def default_views(self, size):
        """`views.barlow_twins(size)`."""
        return views.barlow_twins(size)

    def compute_losses(self, batch, training):
        """One correlation matrix over all replicas."""
        z = [distribute.all_gather(self.project(view, training)) for view in batch.views]
        terms = mean_over_pairs(losses.barlow_twins_terms, z)
        return {
            "loss": terms["invariance"] + self.redundancy_weight * terms["redundancy"],
            **terms,
        }
