"""NNCLR."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.layers import memory_bank
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_int, check_positive_schedule


@keras.saving.register_keras_serializable("keras_ssl")
class NNCLR(SelfSupervisedModel):
    """NNCLR: contrastive learning with the nearest neighbor among past images as the positive.

    Use it when augmentations alone do not cover the variation within a class. It depends less on
    strong color augmentation than SimCLR. A step runs the encoder on two views of each image. The
    queue takes `queue_size` x width floats. Negatives are the other images in the batch: a batch
    size of 256 is enough for small images.

    `fit` logs `loss`, which is at least 0 and starts at about log(B). Lower is better. A safe
    starting point is SGD with learning rate 0.06 * B / 128, momentum 0.9 and cosine decay.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        model = keras_ssl.NNCLR(encoder)
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with batch norm and ReLU between them and batch norm at
            the end, or a Keras layer from `(B, D)` to `(B, width)`.
        predictor: Widths of dense layers with batch norm and ReLU between them and a linear output,
            ending in the projector's width; or a Keras layer from `(B, width)` to `(B, width)`.
            None for `(16 * width, width)`.
        temperature: Float > 0 or Keras schedule. Lower values put more weight on hard negatives.
        queue_size: Int >= 1, number of past projections in which to search for neighbors. The queue
            is the same on all replicas. The paper uses 98,304 on ImageNet. The default is enough
            for tens of thousands of images; use less if you have fewer images than that.
        num_chunks: Int >= 1, number of chunks in which the similarities are computed. See
            `losses.nnclr`.
        views: Sequence of V >= 2 views. None for `views.byol` at the size of the images. With more
            than two views, the loss is the mean over all ordered pairs.
        seed: Int, which also draws the initial queue. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, the predictor's width is not the projector's, or
            the encoder is not as described.

    Source:
        Dwibedi et al. 2021, https://arxiv.org/abs/2104.14548, algorithm 1.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (2048, 2048, 256),
        predictor: Head | None = None,
        temperature: FloatOrSchedule = 0.1,
        queue_size: int = 4096,
        num_chunks: int = 1,
        **kwargs,
    ) -> None:
        check_positive_schedule(temperature=temperature)
        check_int(1, queue_size=queue_size, num_chunks=num_chunks)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(
            projector, self.feature_width, batch_norm=True, final_batch_norm="affine"
        )
        width = layers.output_dim(self.projector, self.feature_width)
        self.predictor = layers.prediction_head(predictor, width, hidden=16 * width)
        self.temperature = temperature
        self.queue_size = queue_size
        self.num_chunks = num_chunks
        rows = memory_bank.random_unit_vectors(queue_size, width, self.seed)
        self.queue = self.add_state("queue", rows.shape, rows)

    def default_views(self, size: Size) -> Views:
        return views.byol(size)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the loss of each view's nearest neighbors and the other views' predictions."""
        z = [self.project(view, training) for view in batch.views]
        predictions = [distribute.all_gather(self.predictor(x, training=training)) for x in z]
        z = [l2_normalize(as_float(distribute.all_gather(x))) for x in z]
        neighbors = [memory_bank.nearest_neighbor(self.queue, x) for x in z]
        temperature = self.current_value(self.temperature)

        def nnclr(predicted, neighbor):
            return losses.nnclr(neighbor, predicted, temperature, self.num_chunks)

        loss = mean_over_ordered_pairs(nnclr, predictions, neighbors)
        if training:
            self.assign_state(self.queue, memory_bank.enqueue(self.queue, z[0]))
        return {"loss": loss}
