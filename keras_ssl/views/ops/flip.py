"""Random mirror images."""

import dataclasses

import keras
import tensorflow as tf

from keras_ssl.validation import check_fraction
from keras_ssl.views import per_image
from keras_ssl.views.base import View, apply_where


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomFlip(View):
    """Mirrors images, left to right.

    Leave it out where left and right mean something, as in digits and letters.

    Args:
        probability: Float in 0..1.

    Raises:
        TypeError: If `probability` is not a number.
        ValueError: If it is not in 0..1.
    """

    probability: float = 0.5

    def __post_init__(self):
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        """Mirrors."""
        if plan := self.plan(images, seed, images.shape[1:]):
            return per_image.apply_per_image([plan], images)
        return apply_where(
            images, self.chosen(images, seed), lambda some: tf.reverse(some, axis=[2])
        )

    def plan(self, images, seed, shape):
        """Mirrors large images one by one."""
        if per_image.is_large(shape):
            chosen = self.chosen(images, seed)
            return per_image.apply_where_chosen(lambda x: tf.reverse(x, [1]), chosen, shape=shape)
        return None

    def chosen(self, images, seed):
        """Draws which images are mirrored: bool `(B,)`."""
        return self.draws(images, seed, 1)[:, 0] < self.probability
