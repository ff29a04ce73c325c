"""Random grayscale."""

import dataclasses

import keras

from keras_ssl.validation import check_fraction
from keras_ssl.views.backend import matmul, ops
from keras_ssl.views.base import RandomApply

LUMINANCE = (0.2989, 0.587, 0.114)  # weights of red, green and blue, ITU-R 601 as in torchvision


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomGrayscale(RandomApply):
    """Replaces all color channels with the luminance.

    The number of channels does not change. Gray images and an alpha channel are not changed.

    Args:
        probability: Float in 0..1.

    Raises:
        TypeError: If `probability` is not a number.
        ValueError: If it is not in 0..1.

    Source:
        torchvision.transforms.v2.RandomGrayscale on float images.
    """

    probability: float = 0.2

    def __post_init__(self):
        check_fraction(probability=self.probability)

    def change(self, images):
        channels = images.shape[-1]
        if channels == 1:
            return images
        matrix = [[weight] * 3 + [0.0] * (channels - 3) for weight in LUMINANCE]
        matrix += [[0.0, 0.0, 0.0, 1.0]] * (channels - 3)
        pixels = matmul(ops.reshape(images, (-1, channels)), ops.convert_to_tensor(matrix))
        return ops.reshape(pixels, ops.shape(images))


def luminance(channels):
    """Returns the luminance of a list of red, green and blue; a single channel is its own."""
    if len(channels) == 1:
        return channels[0]
    red, green, blue = (weight * x for weight, x in zip(LUMINANCE, channels, strict=True))
    return red + green + blue
