"""What masked autoencoders are given: one mild view, and a mask."""

from keras_ssl.validation import as_size, check_int, check_number
from keras_ssl.views.compose import Compose
from keras_ssl.views.ops.crop import RandomResizedCrop
from keras_ssl.views.ops.flip import RandomFlip
from keras_ssl.views.ops.masks import RandomMask


def mae(size, patch_size, mask_ratio=0.75, flip=True):
    """The view of a masked autoencoder, crop and flip, and the mask of its patches.

    Args:
        size: Int > 0, or pair `(height, width)`: what the encoder takes.
        patch_size: Int > 0, pixels a side of a patch, a divisor of both sides.
        mask_ratio: Float in 0..1, the share of patches that the encoder does not see.
        flip: Bool. False where left and right mean something, as in digits and letters.

    Returns:
        Tuple of a view of images and one of masks.

    Raises:
        TypeError: If `flip` is not a bool or `mask_ratio` not a number.
        ValueError: If a size is out of range or no multiple of the patch.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, section 4: crops from 0.2 of the area on.
    """
    if not isinstance(flip, bool):
        raise TypeError(f"`flip` must be a bool, received {flip!r}.")
    height, width = as_size(size)
    check_int(1, patch_size=patch_size)
    check_number(0, 1, mask_ratio=mask_ratio)
    if height % patch_size or width % patch_size:
        raise ValueError(
            f"`size` must be a multiple of `patch_size`, received {size} and {patch_size}."
        )
    crop = RandomResizedCrop((height, width), (0.2, 1.0))
    image = Compose([crop, *([RandomFlip()] if flip else [])])
    return image, RandomMask((height // patch_size, width // patch_size), mask_ratio)
