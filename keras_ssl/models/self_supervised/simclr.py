"""SimCLR: agreement between two views of an image, against all other images of the batch."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_pairs
from keras_ssl.validation import check_int, check_positive, check_schedule


@keras.saving.register_keras_serializable("keras_ssl")
class SimCLR(SelfSupervisedModel):
    """Learns an encoder whose two views of one image are closer than any two images.

    Choose it as the plain baseline: two networks' passes a step, no momentum encoder, one
    temperature. It wants many negatives: 256 images a batch are enough for small images, and
    memory for the similarities grows with the square of the batch (2B x 2B floats, less with
    `num_chunks`). `fit` logs `loss`; at the start about log(2B - 1), less is better. A safe start is
    SGD, learning rate 0.06 * B / 128, momentum 0.9, cosine decay.

        model = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((32, 32, 3)))
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, batch_size=256, epochs=10)
        features = model.predict(images)
        model.save("simclr.keras")

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths, ReLU between; or a keras layer from `(B, D)` to `(B, width)`.
        temperature: Float > 0 or Keras schedule.
        num_chunks: Int >= 1, in how many parts similarities are computed, see `losses.nt_xent`.
        views: Sequence of V >= 2 views; None for `views.simclr` at the size of the images. With
            more than two views the loss is the mean over all pairs.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If `temperature` is not above 0, or the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, algorithm 1.
    """

    def __init__(self, encoder, *, projector=(128, 128), temperature=0.5, num_chunks=1, **kwargs):
        check_schedule(temperature=temperature)
        check_positive(temperature=temperature)
        check_int(1, num_chunks=num_chunks)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width)
        self.temperature = temperature
        self.num_chunks = num_chunks

    def default_views(self, size):
        """`views.simclr(size)`."""
        return views.simclr(size)

    def compute_losses(self, batch, training):
        """NT-Xent between the projections of all replicas."""
        z = [distribute.all_gather(self.project(view, training)) for view in batch.views]
        temperature = self.current_value(self.temperature)

        def loss(a, b):
            return losses.nt_xent(a, b, temperature, self.num_chunks)

        return {"loss": mean_over_pairs(loss, z)}
