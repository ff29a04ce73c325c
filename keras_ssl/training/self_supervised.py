"""What every self-supervised method inherits."""

from keras_ssl.encoders.interface import check_encoder, feature_width
from keras_ssl.encoders.keras_hub import with_pooling
from keras_ssl.training.batch import Batch
from keras_ssl.training.fit import sources
from keras_ssl.training.forward import ForwardMixin
from keras_ssl.training.method import Method
from keras_ssl.validation import check_view_sequence

_NO_TARGETS = "there are no targets to compare with"


class SelfSupervisedModel(ForwardMixin, Method):
    """Learns an encoder from images without labels; the base class of the methods.

    A method states its losses, and where it has a momentum encoder, a queue or a center, how they
    move after a step:

        @keras.saving.register_keras_serializable("mine")
        class Mine(keras_ssl.models.SelfSupervisedModel):
            def __init__(self, encoder, *, projector=(128,), **kwargs):
                super().__init__(encoder, **kwargs)
                self.projector = layers.projection_head(projector, self.feature_width)

            def compute_losses(self, batch, training):
                z1, z2 = (distribute.all_gather(self.project(x, training)) for x in batch.views)
                return {"loss": losses.nt_xent(z1, z2)}

    Each `__init__` argument is kept under its own name: the config comes from there. State is
    kept in non-trainable weights (`add_state`), which the train step carries on every backend and
    `save` writes; `compute_losses` moves it by `move`, `on_step_end` by assigning. `compute_losses`
    gets a `keras_ssl.models.Batch` of this replica's views and labels.

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        views: Sequence of V >= 2 views from `keras_ssl.views`, one output each; or None for the
            method's own, at the size of the images.
        seed: Int; views and the order of arrays in `fit` are a function of it, the epoch and the
            position.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        ValueError: If the encoder is not built, cannot be saved or its output is not `(B, D)`.
        TypeError: If an argument is of the wrong kind.
    """

    target_kind = None  # what must come with each image, if anything
    allows_small_crops = False  # whether views after the second may be smaller
    min_views = 2  # of each image, masks among them
    num_masks = 0  # how many of the views, the last ones, are masks of patches
    unpack_batch = staticmethod(Batch.from_keras)
    unsupported_compile_args = {
        "loss": "it has a loss of its own",
        "loss_weights": "weigh the terms by the method's own arguments",
        "metrics": f"{_NO_TARGETS}; see keras_ssl.callbacks.KNNProbe",
        "weighted_metrics": _NO_TARGETS,
    }

    def __init__(self, encoder, *, views=None, seed=0, **kwargs):
        encoder = with_pooling(encoder)
        check_encoder(encoder)
        check_view_sequence(views, self.min_views)
        super().__init__(seed=seed, **kwargs)
        self.encoder = encoder
        self.views = None if views is None else tuple(views)
        self.feature_width = feature_width(encoder)
        self._told_of_resizing = False

    @property
    def inference_model(self):
        """The encoder."""
        return self.encoder

    def default_views(self, size):
        """Returns the paper's views of images of `size` `(height, width)`: a tuple of callables."""
        raise NotImplementedError(f"{type(self).__name__} has no views of its own: pass `views=`.")

    def check_labels(self, labels):
        """Raises ValueError for labels, an array, of a method that `target_kind`."""
        if labels.ndim != 1:
            raise ValueError(
                f"{type(self).__name__} needs one class number for each image, labels of shape "
                f"(B,); received shape {labels.shape}."
            )

    def check_masks(self, masks):
        """Raises ValueError for masks, a tuple of arrays `(B, N)`, that the method cannot use."""

    def export_encoder(self, path):
        """Writes a TensorFlow SavedModel of the encoder to the folder `path`.

            encoder = tf.saved_model.load(path)
            features = encoder.serve(images)  # uint8 0..255 to float32 (B, D)

        Neither keras_ssl nor Keras need be installed there.
        """
        self.export(path, verbose=False)

    def _training_data(self, x, y, **kwargs):
        return sources.prepare_training(self, x, y, **kwargs)

    def _evaluation_data(self, x, y, *, batch_size):
        return sources.prepare_evaluation(self, x, y, batch_size=batch_size)
