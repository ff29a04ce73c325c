"""SimCLR."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_pairs
from keras_ssl.validation import check_bool, check_int, check_positive_schedule


@keras.saving.register_keras_serializable("keras_ssl")
class SimCLR(SelfSupervisedModel):
    """SimCLR: contrastive learning of two views against the other images in the batch.

    Use it as the baseline. It has one encoder, no momentum encoder and one temperature. A step runs
    the encoder on two views of each image. It needs many negatives: a batch size of 256 is enough
    for small images. The similarities take 2B x 2B floats; `num_chunks` reduces this.

    `fit` logs `loss`, which is at least 0 and starts at about log(2B - 1). Lower is better. A safe
    starting point is SGD with learning rate 0.06 * B / 128, momentum 0.9 and cosine decay.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        model = keras_ssl.SimCLR(encoder)
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)
        features = model.predict(images)
        model.save("simclr.keras")

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with ReLU between them, or a Keras layer from `(B, D)` to
            `(B, width)`.
        temperature: Float > 0 or Keras schedule. Lower values put more weight on hard negatives.
        num_chunks: Int >= 1, number of chunks in which the similarities are computed. See
            `losses.nt_xent`.
        together: Bool, whether the views run through the networks as one batch. That takes a GPU
            less time, and batch normalization then sees all views at once, as in the authors'
            code. By default it sees one view at a time.
        views: Sequence of V >= 2 views. None for `views.simclr` at the size of the images. With
            more than two views, the loss is the mean over all pairs.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If `temperature` is not above 0, `num_chunks` is below 1, or the encoder is not
            as described.

    Source:
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, algorithm 1.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (128, 128),
        temperature: FloatOrSchedule = 0.5,
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
        """Returns NT-Xent over the projections of the full batch, averaged over pairs of views."""
        z = [distribute.all_gather(view) for view in self.project_views(batch.views, training)]
        temperature = self.current_value(self.temperature)

        def nt_xent(z1, z2):
            return losses.nt_xent(z1, z2, temperature, self.num_chunks)

        return {"loss": mean_over_pairs(nt_xent, z)}
