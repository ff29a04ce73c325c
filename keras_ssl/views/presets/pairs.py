"""The views of the papers, ready made: those of one size. Multi-crop has a file of its own."""

from keras_ssl.validation import check_int, check_number
from keras_ssl.views.presets.contrastive import contrastive_view, is_small

JITTER = (0.4, 0.4, 0.2, 0.1)  # BYOL's, which Barlow Twins and VICReg took over


def simclr(size, strength=None, flip=True):
    """The two views of SimCLR: crop, flip, colors, gray and, on large images, blur.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        strength: Float in 0..2.5, scales the changes of color. None for 1.0, and 0.5 where the
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
    small = is_small(size)
    if strength is None:
        strength = 0.5 if small else 1.0
    check_number(0, 2.5, strength=strength)  # hue then reaches 0.5, the whole circle
    jitter = [strength * most for most in (0.8, 0.8, 0.8, 0.2)]
    return (contrastive_view(size, flip=flip, jitter=jitter, blur=0.0 if small else 0.5),) * 2


def simsiam(size, flip=True):
    """The two views of SimSiam, which are those of MoCo v2: weaker colors than SimCLR's.

    Below 64 pixels of the shorter side there is no blur, and crops begin at 0.08 of the area, not
    at 0.2.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        flip: Bool. False where left and right mean something, as in digits and letters.

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


def byol(size, flip=True):
    """The two views of BYOL, which differ: the first is blurred, the second at times solarized.

    Below 64 pixels of the shorter side neither is blurred.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        flip: Bool. False where left and right mean something, as in digits and letters.

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
        contrastive_view(size, flip=flip, jitter=JITTER, blur=first_blur),
        contrastive_view(size, flip=flip, jitter=JITTER, blur=second_blur, solarize=0.2),
    )


def barlow_twins(size, flip=True):
    """The two views of Barlow Twins: those of `byol`.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        flip: Bool. False where left and right mean something, as in digits and letters.

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


def vicreg(size, flip=True):
    """The two views of VICReg: those of `byol` made equal, each blurred and solarized at times.

    Below 64 pixels of the shorter side there is no blur, and crops begin at 0.2 of the area, not
    at 0.08.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        flip: Bool. False where left and right mean something, as in digits and letters.

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
    return (contrastive_view(size, scale, flip, jitter=JITTER, blur=blur, solarize=0.1),) * 2


def emp_ssl(size, patches=20, flip=True, scale=(0.25, 0.25)):
    """The many views of EMP-SSL: patches of a quarter of the area, enlarged to the full size.

    Below 64 pixels of the shorter side patches are as wide as high; above, width / height is drawn
    from 3/4 to 4/3. Both are blurred at times, as small images are in no other method here.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        patches: Int >= 2, the number of views.
        flip: Bool. False where left and right mean something, as in digits and letters.
        scale: Pair of numbers in 0..1, smallest and largest share of the area that a patch has;
            more than the paper's quarter where a quarter of an image says too little of it.

    Returns:
        Tuple of `patches` equal views.

    Raises:
        TypeError: If `patches` is not an int, `flip` not a bool or `scale` not a pair.
        ValueError: If `size`, `patches` or `scale` is out of range.

    Source:
        Tong et al. 2023, https://arxiv.org/abs/2304.03977, and the authors' code for CIFAR-10 and
        for ImageNet-100.
    """
    check_int(2, patches=patches)
    view = contrastive_view(
        size,
        scale,
        flip,
        jitter=(0.4, 0.4, 0.4, 0.2),
        blur=0.1,
        solarize=0.1,
        ratio=(1.0, 1.0) if is_small(size) else (3 / 4, 4 / 3),
    )
    return (view,) * patches
