"""SupCon."""

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.validation import check_bool, check_int, check_positive_schedule


@keras.saving.register_keras_serializable("keras_ssl")
class SupCon(SelfSupervisedModel):
    """SupCon: supervised contrastive learning, with all images of one class as positives.

    Use it when every image has a label and you want features instead of a classifier. It is the
    only method of its family that needs labels. A step runs the encoder on V views of each image.
    The similarities take VB x VB floats; `num_chunks` reduces this. Each batch must contain several
    images of a class.

    `fit` takes `(image, label)` elements. It logs `loss`, which is at least 0 and starts at about
    log(VB - 1). Lower is better. A safe starting point is SGD with learning rate 0.06 * B / 128,
    momentum 0.9 and cosine decay.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        model = keras_ssl.SupCon(encoder)
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, labels, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with ReLU between them, or a Keras layer from `(B, D)` to
            `(B, width)`.
        temperature: Float > 0 or Keras schedule. Lower values put more weight on hard negatives.
        num_chunks: Int >= 1, number of chunks in which the similarities are computed. See
            `losses.supcon`.
        together: Bool, whether the views run through the networks as one batch. That takes a GPU
            less time, and batch normalization then sees all views at once, as in the authors'
            code. By default it sees one view at a time.
        views: Sequence of V >= 2 views. None for `views.simclr` at the size of the images.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If `temperature` is not above 0, `num_chunks` is below 1, or the encoder is not
            as described. In `fit`, if there are no labels.

    Source:
        Khosla et al. 2020, https://arxiv.org/abs/2004.11362, equation 2.
    """

    target_kind = "label"

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (2048, 128),
        temperature: FloatOrSchedule = 0.1,
        num_chunks: int = 1,
        together: bool = False,
        **kwargs,
    ) -> None:
        check_positive_schedule(temperature=temperature)
        check_int(1, num_chunks=num_chunks)
        check_bool(together=together)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width)
        self.temperature = temperature
        self.num_chunks = num_chunks
        self.together = together

    def default_views(self, size: Size) -> Views:
        return views.simclr(size)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the SupCon loss over all views of the full batch."""
        z = [distribute.all_gather(view) for view in self.project_views(batch.views, training)]
        labels = ops.tile(distribute.all_gather(batch.labels), len(z))
        z = ops.concatenate(z, axis=0)
        temperature = self.current_value(self.temperature)
        return {"loss": losses.supcon(z, labels, temperature, self.num_chunks)}
