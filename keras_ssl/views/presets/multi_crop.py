"""Multi-crop: a few large crops, and small crops that cost less."""

from collections.abc import Sequence
from typing import Any

from keras_ssl._types import Size, View
from keras_ssl.validation import as_size, check_int
from keras_ssl.views.presets.contrastive import contrastive_view, is_small


def multi_crop(large: View | Sequence[View], small: View, small_crops: int = 6) -> tuple[View, ...]:
    """Combines views of two sizes: two large crops first, then small ones.

    Methods that compare large with small crops, such as SwAV and DINO, treat the first two views
    as the large crops.

        views = keras_ssl.views.multi_crop(
            large=keras_ssl.views.byol(32),
            small=keras_ssl.views.RandomResizedCrop(16, scale=(0.1, 0.3)),
        )
        model = keras_ssl.DINO(encoder, views=views)

    Args:
        large: View of both large crops, or a pair of views, such as `keras_ssl.views.simclr(32)`.
        small: View of the small crops.
        small_crops: Int >= 0, the number of small crops of each image.

    Returns:
        Tuple of `2 + small_crops` views.

    Raises:
        TypeError: If `large` is neither a view nor a pair of views, `small` is not a single view,
            or `small_crops` is not an int.
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


def swav(
    size: Size, small_size: Size | None = None, small_crops: int = 6, flip: bool = True
) -> tuple[View, ...]:
    """The views of SwAV: two large and six small crops with the colors of SimCLR.

    Large crops cover 0.14 to 1 of the area, small crops 0.05 to 0.14. If the shorter side of
    `size` is below 64 pixels, they cover 0.3 to 1 and 0.1 to 0.3, and there is no blur. The paper
    crops photographs of about 400 pixels, and its small crops are never enlarged much, but 0.05 of
    32 x 32 pixels are only 7 x 7. This choice is ours: the common settings for CIFAR-10 have no
    small crops. For these pass `small_crops=0`. Large crops then cover 0.08 to 1, also on large
    images.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        small_size: Int > 0 or pair, at most `size`. None for the paper's fraction of `size`, 96
            of 224, in multiples of 16; on small images for half of `size`, at least 4.
        small_crops: Int >= 0, the number of small crops of each image.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        Tuple of `2 + small_crops` views: two equal views, then the small crops, which are equal
        too.

    Raises:
        TypeError: If `small_crops` is not an int or `flip` is not a bool.
        ValueError: If `size`, `small_size` or `small_crops` is out of range.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, section 3.2 and appendix A, and the
        authors' scripts, with and without small crops. Small images: solo-learn's settings for
        CIFAR-10, for the colors and for runs without small crops.
    """
    large, small = _crops(size, small_size, small_crops, boundary=0.14, min_scale=0.08)
    settings: dict[str, Any] = {
        "jitter": (0.8, 0.8, 0.8, 0.2),
        "blur": 0.0 if is_small(size) else 0.5,
    }
    return multi_crop(
        contrastive_view(*large, flip, **settings),
        contrastive_view(*small, flip, **settings),
        small_crops,
    )


def dino(
    size: Size, small_size: Size | None = None, small_crops: int = 8, flip: bool = True
) -> tuple[View, ...]:
    """The views of DINO: two large crops that differ like those of BYOL, and eight small crops.

    Large crops cover 0.4 to 1 of the area, small crops 0.05 to 0.4. If the shorter side of `size`
    is below 64 pixels, they cover 0.3 to 1 and 0.1 to 0.3, and there is no blur; `swav` gives the
    reason. With `small_crops=0`, crops cover 0.14 to 1, and 0.08 to 1 on small images.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        small_size: Int > 0 or pair, at most `size`. None for the paper's fraction of `size`, 96
            of 224, in multiples of 16; on small images for half of `size`, at least 4.
        small_crops: Int >= 0, the number of small crops of each image.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        Tuple of `2 + small_crops` views: two different views, then the small crops, which are
        equal.

    Raises:
        TypeError: If `small_crops` is not an int or `flip` is not a bool.
        ValueError: If `size`, `small_size` or `small_crops` is out of range.

    Source:
        Caron et al. 2021, https://arxiv.org/abs/2104.14294, section 3.2. Areas and the number of
        small crops are the defaults of the authors' code. The paper's longest runs use ten small
        crops and a boundary of 0.25 between small and large. Small images: solo-learn's settings
        for CIFAR-10, for the colors and for runs without small crops.
    """
    large, small = _crops(size, small_size, small_crops, boundary=0.4, min_scale=0.14)
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


def _crops(
    size: Size, small_size: Size | None, small_crops: int, boundary: float, min_scale: float
) -> tuple[tuple[Size, tuple[float, float]], tuple[Size, tuple[float, float]]]:
    """Returns `(size, scale)` of the large and of the small crops.

    Args:
        size: Size of the large crops.
        small_size: Size of the small crops, or None.
        small_crops: Int >= 0.
        boundary: On large images, the area between small and large crops.
        min_scale: On large images, the smallest area of large crops without small ones.
    """
    size = as_size(size)
    check_int(0, small_crops=small_crops)
    smallest = 0.05
    if is_small(size):
        smallest, boundary, min_scale = 0.1, 0.3, 0.08
        default = as_size([max(side // 2, min(side, 4)) for side in size])
    else:
        default = as_size([16 * round(side * 96 / 224 / 16) for side in size])
    small_size = default if small_size is None else as_size(small_size, "small_size")
    if any(small > large for small, large in zip(small_size, size, strict=True)):
        raise ValueError(f"`small_size` must be at most `size` {size}, received {small_size}.")
    large_scale = (boundary if small_crops else min_scale, 1.0)
    return (size, large_scale), (small_size, (smallest, boundary))
