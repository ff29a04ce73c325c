"""The views of methods that compare two views of one size."""

from keras_ssl._types import Size
from keras_ssl.validation import check_number
from keras_ssl.views.base import View
from keras_ssl.views.presets.contrastive import contrastive_view, is_small

BYOL_JITTER = (0.4, 0.4, 0.2, 0.1)  # also used by Barlow Twins and VICReg


def simclr(size: Size, strength: float | None = None, flip: bool = True) -> tuple[View, ...]:
    """The two views of SimCLR: crop, flip, color jitter, grayscale and, on large images, blur.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        strength: Float in 0..2.5, scales the color jitter. None for the paper's settings: 1.0 as
            for ImageNet, or 0.5 and no blur, as for CIFAR-10, if the shorter side is below 64
            pixels.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        Tuple of two equal views.

    Raises:
        TypeError: If `strength` is not a number or `flip` is not a bool.
        ValueError: If `size` or `strength` is out of range.

    Source:
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A; appendix B.9 for CIFAR-10.
    """
    small = is_small(size)
    if strength is None:
        strength = 0.5 if small else 1.0
    check_number(0, 2.5, strength=strength)  # at 2.5, hue covers the full circle
    jitter = [strength * amount for amount in (0.8, 0.8, 0.8, 0.2)]
    return (contrastive_view(size, flip=flip, jitter=jitter, blur=0.0 if small else 0.5),) * 2


def simsiam(size: Size, flip: bool = True) -> tuple[View, ...]:
    """The two views of SimSiam, those of MoCo v2: weaker colors than SimCLR's.

    If the shorter side is below 64 pixels, there is no blur and the smallest crop is 0.08 of the
    area instead of 0.2.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        Tuple of two equal views.

    Raises:
        TypeError: If `flip` is not a bool.
        ValueError: If `size` is out of range.

    Source:
        Chen and He 2020, https://arxiv.org/abs/2011.10566, appendix A. Small images: solo-learn's
        settings for CIFAR-10, without blur as in the paper's appendix D.
    """
    small = is_small(size)
    scale = (0.08 if small else 0.2, 1.0)
    jitter = (0.4, 0.4, 0.4, 0.1)
    return (contrastive_view(size, scale, flip, jitter=jitter, blur=0.0 if small else 0.5),) * 2


def byol(size: Size, flip: bool = True) -> tuple[View, ...]:
    """The two views of BYOL, which differ: only the second is sometimes solarized.

    The first is always blurred and the second rarely. If the shorter side is below 64 pixels,
    neither is blurred.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        Tuple of two different views.

    Raises:
        TypeError: If `flip` is not a bool.
        ValueError: If `size` is out of range.

    Source:
        Grill et al. 2020, https://arxiv.org/abs/2006.07733, appendix B, table 6. Small images:
        solo-learn's settings for CIFAR-10.
    """
    first_blur, second_blur = (0.0, 0.0) if is_small(size) else (1.0, 0.1)
    return (
        contrastive_view(size, flip=flip, jitter=BYOL_JITTER, blur=first_blur),
        contrastive_view(size, flip=flip, jitter=BYOL_JITTER, blur=second_blur, solarize=0.2),
    )


def barlow_twins(size: Size, flip: bool = True) -> tuple[View, ...]:
    """The two views of Barlow Twins, those of `byol`.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        Tuple of two different views.

    Raises:
        TypeError: If `flip` is not a bool.
        ValueError: If `size` is out of range.

    Source:
        Zbontar et al. 2021, https://arxiv.org/abs/2103.03230, section 2.2, and the authors' code.
        Small images: solo-learn's settings for CIFAR-10.
    """
    return byol(size, flip)


def vicreg(size: Size, flip: bool = True) -> tuple[View, ...]:
    """The two views of VICReg: as `byol`, but equal, each sometimes blurred and solarized.

    If the shorter side is below 64 pixels, there is no blur and the smallest crop is 0.2 of the
    area instead of 0.08.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        Tuple of two equal views.

    Raises:
        TypeError: If `flip` is not a bool.
        ValueError: If `size` is out of range.

    Source:
        Bardes et al. 2021, https://arxiv.org/abs/2105.04906, appendix. Small images:
        solo-learn's settings for CIFAR-10.
    """
    small = is_small(size)
    scale = (0.2 if small else 0.08, 1.0)
    blur = 0.0 if small else 0.5
    return (contrastive_view(size, scale, flip, jitter=BYOL_JITTER, blur=blur, solarize=0.1),) * 2
