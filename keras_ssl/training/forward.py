"""From images or views to features and projections."""

import itertools
import logging

from keras import ops

from keras_ssl import images as pixels
from keras_ssl.images import image_shape

log = logging.getLogger("keras_ssl")


class ForwardMixin:
    """Passes through the encoder and the projector, or through their momentum copies."""

    def features(self, images, training, momentum=False):
        """Features `(B, D)`, float32, of images or a view.

        Args:
            images: `(B, H, W, C)`.
            training: Bool.
            momentum: Bool, whether `self.momentum_encoder` takes the encoder's place.
        """
        encoder = self.momentum_encoder if momentum else self.encoder
        return self.forward(encoder, images, training)

    def project(self, images, training, momentum=False):
        """Projections `(B, width)` of images or a view: encoder, then projector."""
        features = self.features(images, training, momentum)
        return self._projector(momentum)(features, training=training)

    def project_together(self, views, training, momentum=False):
        """Projections of several views, a list of `(B, width)`, for methods with many crops.

        Views of one size pass the encoder as one batch, and all views the projector: fewer, larger
        operations, and batch norm sees them together, as in the authors' code of these methods.
        Crops of a size that the encoder does not take are resized to the one it takes.
        """
        features = []
        for _, same_size in itertools.groupby(views, key=lambda view: tuple(view.shape[1:])):
            crops = self._fitted(ops.concatenate(list(same_size), axis=0))
            features.append(self.features(crops, training, momentum))
        projected = self._projector(momentum)(ops.concatenate(features, axis=0), training=training)
        return ops.split(projected, len(views), axis=0)

    def _projector(self, momentum):
        return self.momentum_projector if momentum else self.projector

    def _fitted(self, crops):
        """Resizes crops for an encoder of one fixed size."""
        size, given = image_shape(self.encoder)[:2], tuple(crops.shape[1:3])
        if None in size or size == given:
            return crops
        if not self._told_of_resizing:
            self._told_of_resizing = True
            log.warning(
                "%s: encoder %r takes images of %s only; crops of %s are resized to it.",
                type(self).__name__,
                self.encoder.name,
                size,
                given,
            )
        return ops.image.resize(pixels.to_unit_range(crops), size, data_format="channels_last")
