"""What CLIP is given: images nearly as they are."""

from keras_ssl.validation import as_size
from keras_ssl.views.ops.crop import RandomResizedCrop


def clip(size, scale=(0.9, 1.0)):
    """The view of CLIP: a random crop of most of the image, not stretched.

    What a caption says stays true.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        scale: Pair of numbers in 0..1, smallest and largest share of the area.

    Returns:
        Tuple of one view.

    Raises:
        TypeError: If `scale` is not a pair.
        ValueError: If `size` or `scale` is out of range.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.4; the share as in
        OpenCLIP.
    """
    height, width = as_size(size)
    return (RandomResizedCrop((height, width), scale, ratio=(width / height,) * 2),)
