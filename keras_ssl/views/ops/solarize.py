"""Random solarization."""

import dataclasses

import keras
import tensorflow as tf

from keras_ssl.validation import check_fraction, check_number
from keras_ssl.views import per_image
from keras_ssl.views.base import View, apply_where


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class Solarize(View):
    """Inverts the pixels that are bright: `x` becomes `1 - x` where `x >= threshold`.

    An alpha channel stays as it is.

    Args:
        threshold: Float in 0..1.
        probability: Float in 0..1.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If it is not in 0..1.

    Source:
        Grill et al. 2020, https://arxiv.org/abs/2006.07733, appendix B.
    """

    threshold: float = 0.5
    probability: float = 1.0

    def __post_init__(self):
        check_number(0, 1, threshold=self.threshold)
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        """Inverts."""
        if plan := self.plan(images, seed, images.shape[1:]):
            return per_image.apply_per_image([plan], images)
        return apply_where(images, self._chosen(images, seed), self._invert)

    def plan(self, images, seed, shape):
        """Inverts large images one by one."""
        if per_image.is_large(shape):
            chosen = self._chosen(images, seed)
            return per_image.apply_where_chosen(self._invert, chosen, shape=shape)
        return None

    def _chosen(self, images, seed):
        return self.draws(images, seed, 1)[:, 0] < self.probability

    def _invert(self, images):
        colors, alpha = images[..., :3], images[..., 3:]
        inverted = tf.where(colors >= self.threshold, 1.0 - colors, colors)
        return tf.concat([inverted, alpha], axis=-1) if images.shape[-1] == 4 else inverted
