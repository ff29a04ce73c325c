"""NNCLR: the nearest neighbor of one view, among past images, is the other view's positive."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl.layers import memory_bank
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_int, check_positive, check_schedule


@keras.saving.register_keras_serializable("keras_ssl")
class NNCLR(SelfSupervisedModel):
    """Learns an encoder by contrast with positives from other images, not only other views.

    Choose it where the views alone say too little of what belongs together: it depends less on
    strong colors than SimCLR. Two passes a step; a queue of `queue_size` x width floats. Negatives
    are the other images of the batch: 256 will do for small images. `fit` logs `loss`, about log(B)
    at the start. A safe start is SGD, learning rate 0.06 * B / 128, momentum 0.9, cosine decay.

        model = keras_ssl.NNCLR(encoder)
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths with batch norm and ReLU between, batch norm at the end; or a
            keras layer.
        predictor: Tuple of widths with batch norm and ReLU between, linear at the end, the last of
            them the projector's; or a keras layer. None for 16 times that width, then it.
        temperature: Float > 0 or Keras schedule.
        queue_size: Int >= 1, past projections to find neighbors among; the same on all replicas.
            The paper's is 98,304 for ImageNet; for tens of thousands of images the default is
            enough, and for fewer than it choose fewer.
        num_chunks: Int >= 1, in how many parts similarities are computed, see `losses.nnclr`.
        views: Sequence of V >= 2 views; None for `views.byol` at the size of the images. With
            more than two views the loss is the mean over all ordered pairs.
        seed: Int, see `SelfSupervisedModel`; also of the random rows that the queue starts with.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, the predictor's width is not the projector's, or
            the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Dwibedi et al. 2021, https://arxiv.org/abs/2104.14548, algorithm 1.
    """

    def __init__(
        self,
        encoder,
        *,
        projector=(2048, 2048, 256),
        predictor=None,
        temperature=0.1,
        queue_size=4096,
        num_chunks=1,
        **kwargs,
    ):
        check_schedule(temperature=temperature)
        check_positive(temperature=temperature)
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

    def default_views(self, size):
        """`views.byol(size)`."""
        return views.byol(size)

    def compute_losses(self, batch, training):
        """Contrast of each view's neighbors with the other views' predictions."""
        z = [self.project(view, training) for view in batch.views]
        p = [distribute.all_gather(self.predictor(each, training=training)) for each in z]
        z = [l2_normalize(as_float(distribute.all_gather(each))) for each in z]
        neighbors = [memory_bank.nearest_neighbor(self.queue, each) for each in z]
        temperature = self.current_value(self.temperature)

        def contrast(predicted, nearest):
            return losses.nnclr(nearest, predicted, temperature, self.num_chunks)

        loss = mean_over_ordered_pairs(contrast, p, neighbors)
        if training:
            self.assign_state(self.queue, memory_bank.enqueue(self.queue, z[0]))
        return {"loss": loss}
