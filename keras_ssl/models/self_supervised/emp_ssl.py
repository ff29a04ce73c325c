"""EMP-SSL."""

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import Head, Size, Tensor, Views
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.validation import check_number, check_positive_number


@keras.saving.register_keras_serializable("keras_ssl")
class EMPSSL(SelfSupervisedModel):
    """EMP-SSL: many patches of each image agree with their mean and spread over the batch.

    Use it when you can afford only a few epochs. A step runs the encoder on V patches of each image
    (20 by default), which costs ten times as much as two views, but training converges within a few
    epochs. It has no negatives and no momentum encoder. A batch size of 100 is enough; memory must
    hold all patches of a batch at once.

    `fit` logs `loss` and its two unweighted terms, `coding_rate` (at least 0) and `similarity` (at
    most 1). Higher terms are better, and the loss is far below 0. A safe starting point is SGD with
    learning rate 0.06 * B / 256, momentum 0.9 and cosine decay. The model never sees a full image,
    so the authors evaluate features averaged over patches: use
    `evaluation.extract_features(model, images, views=keras_ssl.views.emp_ssl(32))`.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        model = keras_ssl.EMPSSL(encoder)
        model.compile(keras.optimizers.SGD(0.03, momentum=0.9))
        model.fit(images, batch_size=128, epochs=5)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with batch norm and ReLU between them and a linear output,
            or a Keras layer from `(B, D)` to `(B, width)`.
        invariance: Float >= 0, weight of the similarity of patches and their mean.
        epsilon: Float > 0, distortion of `losses.total_coding_rate`.
        views: Sequence of V >= 2 views. None for `views.emp_ssl`, 20 patches, at the size of the
            images.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the encoder is not as described.

    Source:
        Tong et al. 2023, https://arxiv.org/abs/2304.03977, section 2.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (4096, 1024),
        invariance: float = 200.0,
        epsilon: float = 0.2,
        **kwargs,
    ) -> None:
        check_number(0, invariance=invariance)
        check_positive_number(epsilon=epsilon)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        self.invariance = invariance
        self.epsilon = epsilon

    def default_views(self, size: Size) -> Views:
        return views.emp_ssl(size)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the coding rate of patches over the full batch and their similarity."""
        z = ops.stack(self.project_together(batch.views, training), axis=1)
        z = ops.swapaxes(distribute.all_gather(z), 0, 1)
        terms = losses.emp_ssl_terms(z, self.epsilon)
        return {"loss": -terms["coding_rate"] - self.invariance * terms["similarity"], **terms}
