"""EMP-SSL: many patches of each image agree with their mean, and spread out over the batch."""

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.validation import check_non_negative, check_number, check_positive


@keras.saving.register_keras_serializable("keras_ssl")
class EMPSSL(SelfSupervisedModel):
    """Learns an encoder in few epochs, from many patches of each image.

    Choose it where images are few and epochs must be: each step sees `V` patches of every image
    (20 by default), at ten times the cost of two views, and converges in a few epochs. No
    negatives, no momentum encoder. Batches of 100; memory for all patches of a batch at once. `fit`
    logs `loss` and its terms, not weighted, of which more is better: `coding_rate` and
    `similarity`. The loss is far below 0. A safe start is SGD, learning rate 0.06 * B / 256,
    momentum 0.9, cosine decay. The authors measure features averaged over patches, as training
    saw no whole image:
    `evaluation.extract_features(model, images, views=keras_ssl.views.emp_ssl(32))`.

        model = keras_ssl.EMPSSL(encoder)
        model.compile(keras.optimizers.SGD(0.03, momentum=0.9))
        model.fit(images, batch_size=128, epochs=5)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths with batch norm and ReLU between, linear at the end; or a keras
            layer.
        invariance: Float >= 0, weight of the agreement with the mean.
        epsilon: Float > 0, distortion of `losses.total_coding_rate`.
        views: Sequence of V >= 2 views; None for `views.emp_ssl` (20 patches) at the size of the
            images.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, or the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Tong et al. 2023, https://arxiv.org/abs/2304.03977, section 2.
    """

    def __init__(self, encoder, *, projector=(4096, 1024), invariance=200.0, epsilon=0.2, **kwargs):
        check_number(invariance=invariance, epsilon=epsilon)
        check_non_negative(invariance=invariance)
        check_positive(epsilon=epsilon)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        self.invariance = invariance
        self.epsilon = epsilon

    def default_views(self, size):
        """`views.emp_ssl(size)`."""
        return views.emp_ssl(size)

    def compute_losses(self, batch, training):
        """Coding rate of each patch over all replicas, and agreement of patches."""
        z = ops.stack(self.project_together(batch.views, training), axis=1)
        z = ops.swapaxes(distribute.all_gather(z), 0, 1)
        terms = losses.emp_ssl_terms(z, self.epsilon)
        return {"loss": -terms["coding_rate"] - self.invariance * terms["similarity"], **terms}
