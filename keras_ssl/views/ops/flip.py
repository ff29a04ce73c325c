"""Random flips."""

import dataclasses

import keras

from keras_ssl.validation import check_fraction
from keras_ssl.views.backend import ops
from keras_ssl.views.base import RandomApply


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomFlip(RandomApply):
    """Flips images horizontally.

    Do not use it if left and right have a meaning, as in digits and letters.

    Args:
        probability: Float in 0..1.

    Raises:
        TypeError: If `probability` is not a number.
        ValueError: If it is not in 0..1.
    """

    probability: float = 0.5

    def __post_init__(self):
        check_fraction(probability=self.probability)

    def change(self, images):
        return ops.flip(images, axis=-2)
