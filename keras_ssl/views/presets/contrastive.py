"""The sequence of augmentations that most papers share; each paper is a set of arguments."""

from collections.abc import Sequence

from keras_ssl._types import Size
from keras_ssl.validation import as_size, check_bool
from keras_ssl.views.base import View
from keras_ssl.views.compose import Compose
from keras_ssl.views.ops.blur import GaussianBlur
from keras_ssl.views.ops.color_jitter import ColorJitter
from keras_ssl.views.ops.crop import RandomResizedCrop
from keras_ssl.views.ops.flip import RandomFlip
from keras_ssl.views.ops.grayscale import RandomGrayscale
from keras_ssl.views.ops.solarize import Solarize

MIN_LARGE_SIDE = 64  # pixels of the shorter side; the settings for CIFAR-10 hold below


def is_small(size: Size) -> bool:
    """Returns whether images of a size, an int or a pair, are small."""
    return min(as_size(size)) < MIN_LARGE_SIDE


def contrastive_view(
    size: Size,
    scale: tuple[float, float] = (0.08, 1.0),
    flip: bool = True,
    *,
    jitter: Sequence[float],
    blur: float = 0.0,
    solarize: float = 0.0,
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> View:
    """Returns crop, flip, color jitter, grayscale, blur and solarization as one view.

    Steps with probability 0 are left out. Two details differ from the authors' code in all
    papers. Crops are resized bilinearly; some authors resize bicubically. The blur kernel is a
    tenth of the shorter side, as in SimCLR; some authors use 23 pixels at any size or do not
    limit it.

    Args:
        size: Int > 0, or pair `(height, width)`.
        scale: Pair, smallest and largest fraction of the area of a crop.
        flip: Bool, whether half of the images are flipped.
        jitter: Brightness, contrast, saturation and hue, applied to 80 % of the images.
        blur: Float in 0..1, how often images are blurred.
        solarize: Float in 0..1, how often images are solarized.
        ratio: Pair, smallest and largest width / height of a crop.
    """
    check_bool(flip=flip)
    brightness, contrast, saturation, hue = jitter
    return Compose(
        [
            RandomResizedCrop(size, scale, ratio),
            *([RandomFlip()] if flip else []),
            ColorJitter(brightness, contrast, saturation, hue, probability=0.8),
            RandomGrayscale(probability=0.2),
            *([GaussianBlur(probability=blur)] if blur else []),
            *([Solarize(probability=solarize)] if solarize else []),
        ]
    )
