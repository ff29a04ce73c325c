"""The views of the papers, ready made."""

from keras_ssl.views import checks
from keras_ssl.views.blur import GaussianBlur
from keras_ssl.views.compose import Compose
from keras_ssl.views.crop import RandomResizedCrop
from keras_ssl.views.flip import RandomFlip
from keras_ssl.views.grayscale import RandomGrayscale
from keras_ssl.views.jitter import ColorJitter

SMALL = 64  # pixels; below, the paper's settings for CIFAR-10


def simclr(size, strength=None, flip=True):
    """The two views of SimCLR: crop, flip, colours, grey and, on large images, blur.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        strength: Float in 0..2.5, scales the changes of colour. None for 1.0, and 0.5 where the
            shorter side is below 64 pixels, where there is no blur either: the paper's settings
            for ImageNet and for CIFAR-10.
        flip: Bool. False where left and right mean something, as in digits and letters.

    Returns:
        Tuple of two equal views.

    Raises:
        TypeError: If `strength` is not a number or `flip` not a bool.
        ValueError: If `size` or `strength` is out of range.

    Source:
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A; appendix B.9 for CIFAR-10.
    """
    size = checks.size(size)
    small = min(size) < SMALL
    if strength is None:
        strength = 0.5 if small else 1.0
    checks.number("strength", strength, 0, 2.5)  # hue then reaches 0.5, the whole circle
    if not isinstance(flip, bool):
        raise TypeError(f"`flip` must be a bool, received {flip!r}.")
    parts = [
        RandomResizedCrop(size),
        *([RandomFlip()] if flip else []),
        ColorJitter(*(strength * most for most in (0.8, 0.8, 0.8, 0.2)), probability=0.8),
        RandomGrayscale(probability=0.2),
        *([] if small else [GaussianBlur(probability=0.5)]),
    ]
    return (Compose(parts),) * 2
