"""What the views of the papers have in common: each paper is a row of these settings."""

from keras_ssl.validation import as_size
from keras_ssl.views.compose import Compose
from keras_ssl.views.ops.blur import GaussianBlur
from keras_ssl.views.ops.color_jitter import ColorJitter
from keras_ssl.views.ops.crop import RandomResizedCrop
from keras_ssl.views.ops.flip import RandomFlip
from keras_ssl.views.ops.grayscale import RandomGrayscale
from keras_ssl.views.ops.solarize import Solarize

SMALL = 64  # pixels of the shorter side; below, the settings for CIFAR-10 hold


def is_small(size):
    """Whether images of a size, an int or a pair, are small."""
    return min(as_size(size)) < SMALL


def contrastive_view(
    size, scale=(0.08, 1.0), flip=True, *, jitter, blur=0.0, solarize=0.0, ratio=(3 / 4, 4 / 3)
):
    """Returns the view crop, flip, jitter, gray, blur, solarize; what never happens is left out.

    Two things differ from the authors' code, in all papers alike: crops are resized bilinearly
    where some resize bicubically, and the Gaussian is cut to a tenth of the shorter side, as in
    SimCLR, where some cut it to 23 pixels at any size or not at all.

    Args:
        size: Int > 0, or pair `(height, width)`.
        scale: Pair, smallest and largest share of the area that a crop has.
        flip: Bool, whether half of the images are mirrored.
        jitter: Brightness, contrast, saturation and hue, of 80 % of the images.
        blur: Float in 0..1, how often images are blurred.
        solarize: Float in 0..1, how often they are solarized.
        ratio: Pair, smallest and largest width / height of a crop.
    """
    if not isinstance(flip, bool):
        raise TypeError(f"`flip` must be a bool, received {flip!r}.")
    parts = [
        RandomResizedCrop(size, scale, ratio),
        *([RandomFlip()] if flip else []),
        ColorJitter(*jitter, probability=0.8),
        RandomGrayscale(probability=0.2),
        *([GaussianBlur(probability=blur)] if blur else []),
        *([Solarize(probability=solarize)] if solarize else []),
    ]
    return Compose(parts)
