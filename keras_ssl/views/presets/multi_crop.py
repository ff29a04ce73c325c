"""Views of two sizes: few large crops, and small ones that cost less."""

from keras_ssl.validation import as_size, check_int
from keras_ssl.views.presets.contrastive import contrastive_view, is_small


def multi_crop(large, small, small_crops=6):
    """Puts views of two sizes side by side: two large crops first, then small ones.

    The models that compare large with small, SwAV and DINO, take the first two for the large.

        views = keras_ssl.views.multi_crop(
            large=keras_ssl.views.byol(32),
            small=keras_ssl.views.RandomResizedCrop(16, scale=(0.1, 0.3)),
        )
        model = keras_ssl.DINO(encoder, views=views)

    Args:
        large: View of the large crops; or a pair of views, one for each, such as
            `keras_ssl.views.simclr(32)`.
        small: View of the small crops.
        small_crops: Int >= 0, how many small crops each image gets.

    Returns:
        Tuple of `2 + small_crops` views.

    Raises:
        TypeError: If `large` is neither a view nor a pair of views, `small` not one view, or
            `small_crops` not an int.
        ValueError: If `small_crops` is negative.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, section 3.2.
    """
    pair = tuple(large) if isinstance(large, (tuple, list)) else (large, large)
    if len(pair) != 2 or not all(map(callable, pair)):
        raise TypeError(
            "`large` must be a view or a pair of views, such as keras_ssl.views.simclr(32), "
            f"received {large!r}."
        )
    if not callable(small):
        raise TypeError(
            "`small` must be one view, such as keras_ssl.views.RandomResizedCrop(16, (0.1, 0.3)), "
            f"received {small!r}."
        )
    check_int(0, small_crops=small_crops)
    return (*pair, *[small] * small_crops)


def swav(size, small_size=None, small_crops=6, flip=True):
    """The views of SwAV: two large crops and six small ones, with the colors of SimCLR.

    Large crops show 0.14 to 1 of the area, small ones 0.05 to 0.14. Where the shorter side of
    `size` is below 64 pixels, they show 0.3 to 1 and 0.1 to 0.3, and there is no blur: the paper
    cuts photographs of about 400 pixels, whose small crops have at least as many pixels as they
    are shown with, while 0.05 of 32 x 32 pixels are 7 x 7. This choice is ours: the settings for
    CIFAR-10 that are in use have no small crops. They are `small_crops=0`, where crops show 0.08
    to 1, on large images too.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        small_size: Likewise, at most `size`. None for the paper's share of `size`, 96 of 224, in
            multiples of 16; on small images for half of `size`, at least 4.
        small_crops: Int >= 0.
        flip: Bool. False where left and right mean something, as in digits and letters.

    Returns:
        Tuple of `2 + small_crops` views: two equal ones, then the small, which are equal too.

    Raises:
        TypeError: If `small_crops` is not an int or `flip` not a bool.
        ValueError: If `size`, `small_size` or `small_crops` is out of range.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, section 3.2 and appendix A, and the
        authors' scripts, with and without small crops. Small images: colors, and all without
        small crops, of solo-learn's settings for CIFAR-10.
    """
    large, small = _crops(size, small_size, small_crops, border=0.14, alone=0.08)
    look = {"jitter": (0.8, 0.8, 0.8, 0.2), "blur": 0.0 if is_small(size) else 0.5}
    return multi_crop(
        contrastive_view(*large, flip, **look),
        contrastive_view(*small, flip, **look),
        small_crops,
    )


def dino(size, small_size=None, small_crops=8, flip=True):
    """The views of DINO: two large crops that differ as those of BYOL, and eight small ones.

    Large crops show 0.4 to 1 of the area, small ones 0.05 to 0.4. Where the shorter side of `size`
    is below 64 pixels, they show 0.3 to 1 and 0.1 to 0.3, and there is no blur, for the reason
    given in `swav`. With `small_crops=0`, crops show 0.14 to 1, and 0.08 to 1 on small images.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        small_size: Likewise, at most `size`. None for the paper's share of `size`, 96 of 224, in
            multiples of 16; on small images for half of `size`, at least 4.
        small_crops: Int >= 0.
        flip: Bool. False where left and right mean something, as in digits and letters.

    Returns:
        Tuple of `2 + small_crops` views: two different ones, then the small, which are equal.

    Raises:
        TypeError: If `small_crops` is not an int or `flip` not a bool.
        ValueError: If `size`, `small_size` or `small_crops` is out of range.

    Source:
        Caron et al. 2021, https://arxiv.org/abs/2104.14294, section 3.2; areas and the number of
        small crops are the defaults of the authors' code, where the paper's longest runs have ten
        and part large from small at 0.25. Small images: colors, and all without small crops, of
        solo-learn's settings for CIFAR-10.
    """
    large, small = _crops(size, small_size, small_crops, border=0.4, alone=0.14)
    jitter = (0.4, 0.4, 0.2, 0.1)
    first_blur, second_blur, small_blur = (0.0,) * 3 if is_small(size) else (1.0, 0.1, 0.5)
    return multi_crop(
        (
            contrastive_view(*large, flip, jitter=jitter, blur=first_blur),
            contrastive_view(*large, flip, jitter=jitter, blur=second_blur, solarize=0.2),
        ),
        contrastive_view(*small, flip, jitter=jitter, blur=small_blur),
        small_crops,
    )


def _crops(size, small_size, small_crops, border, alone):
    """Returns `(size, scale)` of the large crops and of the small ones.

    Args:
        size: Of the large crops.
        small_size: Of the small ones, or None.
        small_crops: Int >= 0.
        border: Share of the area that parts small crops from large ones, on large images.
        alone: The smallest share of large crops without small ones, on large images.
    """
    size = as_size(size)
    check_int(0, small_crops=small_crops)
    lowest = 0.05
    if is_small(size):
        lowest, border, alone = 0.1, 0.3, 0.08
        default = tuple(max(side // 2, min(side, 4)) for side in size)
    else:
        default = tuple(16 * round(side * 96 / 224 / 16) for side in size)
    small_size = default if small_size is None else as_size(small_size, "small_size")
    if any(part > whole for part, whole in zip(small_size, size, strict=True)):
        raise ValueError(f"`small_size` must be at most `size` {size}, received {small_size}.")
    return (size, (border if small_crops else alone, 1.0)), (small_size, (lowest, border))
