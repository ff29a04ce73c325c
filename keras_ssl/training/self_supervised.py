"""The base class of methods that learn from images without labels."""

import itertools
import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ssl import images as pixels
from keras_ssl._types import PathLike, Tensor, Views
from keras_ssl.encoders.interface import check_encoder, feature_width
from keras_ssl.encoders.keras_hub import with_pooling
from keras_ssl.images import image_shape
from keras_ssl.training.batch import Batch
from keras_ssl.training.fit import device_views
from keras_ssl.training.method import Method
from keras_ssl.validation import check_view_sequence

log = logging.getLogger("keras_ssl")


class SelfSupervisedModel(Method):
    """Base class of methods that train an encoder on views of unlabeled images.

    A method defines its losses and, if it has a momentum encoder, a queue or a center, how they
    change after a step:

        from keras_ssl import distribute, layers, losses, models

        @keras.saving.register_keras_serializable("my_package")
        class MyMethod(models.SelfSupervisedModel):
            def __init__(self, encoder, *, projector=(128,), **kwargs):
                super().__init__(encoder, **kwargs)
                self.projector = layers.projection_head(projector, self.feature_width)

            def compute_losses(self, batch, training):
                z1, z2 = (distribute.all_gather(self.project(x, training)) for x in batch.views)
                return {"loss": losses.nt_xent(z1, z2)}

    Store each `__init__` argument under its own name; the config is made from these. Keep state in
    non-trainable weights (`add_state`); the step carries them on every backend and `save` writes
    them. `compute_losses` receives a `keras_ssl.models.Batch` with this replica's views and labels.

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        views: Sequence of V >= 2 views from `keras_ssl.views`, one output each; None for the
            method's own, at the size of the images.
        seed: Int. Views and the order of arrays in `fit` are a function of the seed, the epoch and
            the position.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        ValueError: If the encoder is not built, cannot be saved or its output is not `(B, D)`.
        TypeError: If an argument has the wrong type.
    """

    allows_small_crops = False  # whether views after the first two may be smaller
    min_views = 2  # per image, masks included
    together = False  # whether `project_views` makes one batch of all views
    num_masks = 0  # how many of the views, the last ones, are masks of patches
    target_kind: str | None = None  # "label" if each image needs one
    unsupported_compile_args = {
        "loss": "the method defines its own loss",
        "loss_weights": "use the method's own arguments to weight the terms",
        "metrics": "there are no targets to compare with; see keras_ssl.callbacks.KNNProbe",
        "weighted_metrics": "there are no targets to compare with",
    }

    def __init__(
        self, encoder: keras.Model, *, views: Views | None = None, seed: int = 0, **kwargs
    ):
        encoder = with_pooling(encoder)
        check_encoder(encoder)
        check_view_sequence(views, self.min_views)
        super().__init__(seed=seed, **kwargs)
        self.encoder = encoder
        self.views = None if views is None else tuple(views)
        self.feature_width = feature_width(encoder)
        self._warned_of_resizing = False

    @property
    def inference_model(self) -> keras.Model:
        """The encoder."""
        return self.encoder

    def default_views(self, size: tuple[int, int]) -> Views:
        """Returns the paper's views of images of `size` `(height, width)`."""
        raise NotImplementedError(f"{type(self).__name__} has no default views. Pass `views=`.")

    def unpack_batch(self, data: Any) -> Batch:
        """Returns the batch in the data of a step, after making its views if necessary."""
        return device_views.unpack_batch(self, data)

    def check_targets(self, labels: np.ndarray) -> None:
        """Raises ValueError for labels that a method with a `target_kind` cannot use."""
        if labels.ndim != 1:
            raise ValueError(
                f"{type(self).__name__} needs one class index per image, labels of shape (B,); "
                f"received shape {labels.shape}."
            )

    def check_masks(self, masks: tuple[np.ndarray, ...]) -> None:
        """Raises ValueError for masks, a tuple of arrays `(B, N)`, that the method cannot use."""

    def export_encoder(self, path: PathLike) -> None:
        """Writes a TensorFlow SavedModel of the encoder to the directory `path`.

            encoder = tf.saved_model.load(path)
            features = encoder.serve(images)  # uint8 0..255 to float32 (B, D)

        Neither keras_ssl nor Keras is needed to load it.
        """
        self.export(path, verbose=False)

    def features(self, images: Tensor, training: bool, momentum: bool = False) -> Tensor:
        """Returns features `(B, D)`, float32, of images or of a view.

        Args:
            images: `(B, H, W, C)`.
            training: Bool.
            momentum: Bool, whether to use `self.momentum_encoder`.
        """
        encoder = self.momentum_encoder if momentum else self.encoder
        return self.forward(encoder, images, training)

    def project(self, images: Tensor, training: bool, momentum: bool = False) -> Tensor:
        """Returns projections `(B, width)` of images or of a view: encoder, then projector."""
        features = self.features(images, training, momentum)
        return self._projector(momentum)(features, training=training)

    def project_views(self, views: Sequence[Tensor], training: bool) -> list[Tensor]:
        """Returns projections of views, a list of `(B, width)`, in one batch if `self.together`."""
        if self.together:
            return self.project_together(views, training)
        return [self.project(view, training) for view in views]

    def project_together(
        self, views: Sequence[Tensor], training: bool, momentum: bool = False
    ) -> list[Tensor]:
        """Returns projections of several views, a list of `(B, width)`, from one batch.

        Views of one size run through the encoder as one batch, and all views through the projector:
        fewer, larger operations, and batch normalization over all of them, as in the authors' code
        of these methods. Crops of a size that the encoder does not take are resized.
        """
        features = []
        for _, same_size in itertools.groupby(views, key=lambda view: tuple(view.shape[1:])):
            crops = self._resized(ops.concatenate(list(same_size), axis=0))
            features.append(self.features(crops, training, momentum))
        projector = self._projector(momentum)
        projections = projector(ops.concatenate(features, axis=0), training=training)
        return ops.split(projections, len(views), axis=0)

    def _projector(self, momentum):
        return self.momentum_projector if momentum else self.projector

    def _resized(self, crops):
        """Resizes crops if the encoder has a fixed size."""
        size, crop_size = image_shape(self.encoder)[:2], tuple(crops.shape[1:3])
        if None in size or size == crop_size:
            return crops
        if not self._warned_of_resizing:
            self._warned_of_resizing = True
            log.warning(
                "%s: encoder %r takes images of %s only; crops of %s are resized to it.",
                type(self).__name__,
                self.encoder.name,
                size,
                crop_size,
            )
        return ops.image.resize(pixels.to_unit_range(crops), size, data_format="channels_last")

    def _prepare_training(self, source, plan):
        return source.prepare_training(self, plan)

    def _prepare_evaluation(self, source, batch_size):
        return source.prepare_evaluation(self, batch_size)
