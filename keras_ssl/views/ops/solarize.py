"""Random solarization."""

import dataclasses

import keras

from keras_ssl.validation import check_fraction
from keras_ssl.views.backend import ops
from keras_ssl.views.base import RandomApply


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class Solarize(RandomApply):
    """Inverts bright pixel values: `x` becomes `1 - x` if `x >= threshold`.

    An alpha channel is not changed.

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
        check_fraction(threshold=self.threshold, probability=self.probability)

    def change(self, images):
        colors, alpha = images[..., :3], images[..., 3:]
        inverted = ops.where(colors >= self.threshold, 1.0 - colors, colors)
        return ops.concatenate([inverted, alpha], axis=-1) if images.shape[-1] == 4 else inverted
