"""The views of EMP-SSL."""

from keras_ssl._types import Size
from keras_ssl.validation import check_int
from keras_ssl.views.base import View
from keras_ssl.views.presets.contrastive import contrastive_view, is_small


def emp_ssl(
    size: Size,
    patches: int = 20,
    flip: bool = True,
    scale: tuple[float, float] = (0.25, 0.25),
) -> tuple[View, ...]:
    """The views of EMP-SSL: patches of a quarter of the area, resized to the full size.

    Patches are square if the shorter side is below 64 pixels. Otherwise width / height is between
    3/4 and 4/3. Unlike in the other methods, small images are sometimes blurred too.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        patches: Int >= 2, the number of views.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.
        scale: Pair of numbers in 0..1, smallest and largest fraction of the area of a patch.
            Increase it if a quarter of an image is not enough to recognize its content.

    Returns:
        Tuple of `patches` equal views.

    Raises:
        TypeError: If `patches` is not an int, `flip` is not a bool or `scale` is not a pair.
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
