"""SupCon: contrast in which all images of one class are positives."""

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.validation import check_int, check_positive, check_schedule


@keras.saving.register_keras_serializable("keras_ssl")
class SupCon(SelfSupervisedModel):
    """Learns an encoder whose images of one class are closer than those of different classes.

    Choose it where every image has a label and features, not a classifier, are wanted: it needs
    them all, unlike every other method here. Two passes a step; similarities of all rows of all
    views, (V B)^2 floats; batches must hold several images of a class. `fit` takes
    `(image, label)` elements and logs `loss`. A safe start is SGD, learning rate 0.06 * B / 128,
    momentum 0.9, cosine decay.

        model = keras_ssl.SupCon(encoder)
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, labels, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths, ReLU between; or a keras layer.
        temperature: Float > 0 or Keras schedule.
        num_chunks: Int >= 1, in how many parts similarities are computed, see `losses.supcon`.
        views: Sequence of V >= 2 views; None for `views.simclr` at the size of the images.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If `temperature` is not above 0, or the encoder is not as described; in `fit`,
            if there are no labels.
        TypeError: If an argument is of the wrong kind.

    Source:
        Khosla et al. 2020, https://arxiv.org/abs/2004.11362, equation 2.
    """

    target_kind = "label"

    def __init__(self, encoder, *, projector=(2048, 128), temperature=0.1, num_chunks=1, **kwargs):
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
        """Contrast among all views of all images of all replicas."""
        z = [distribute.all_gather(self.project(view, training)) for view in batch.views]
        labels = ops.tile(distribute.all_gather(batch.labels), len(z))
        z = ops.concatenate(z, axis=0)
        temperature = self.current_value(self.temperature)
        return {"loss": losses.supcon(z, labels, temperature, self.num_chunks)}
