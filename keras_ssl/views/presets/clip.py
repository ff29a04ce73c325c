"""The view of CLIP."""

from keras_ssl._types import Size
from keras_ssl.validation import as_size
from keras_ssl.views.base import View
from keras_ssl.views.ops.crop import RandomResizedCrop


def clip(size: Size, scale: tuple[float, float] = (0.9, 1.0)) -> tuple[View, ...]:
    """The view of CLIP: a random crop of most of the image, without distortion.

    The caption stays true for such a crop.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        scale: Pair of numbers in 0..1, smallest and largest fraction of the area.

    Returns:
        Tuple of one view.

    Raises:
        TypeError: If `scale` is not a pair.
        ValueError: If `size` or `scale` is out of range.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.4. The fraction is that
        of OpenCLIP.
    """
    height, width = as_size(size)
    return (RandomResizedCrop((height, width), scale, ratio=(width / height,) * 2),)
