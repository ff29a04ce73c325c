"""The view and the mask of MAE."""

from keras_ssl._types import Size
from keras_ssl.validation import as_size, check_bool, check_fraction, check_int
from keras_ssl.views.base import View
from keras_ssl.views.compose import Compose
from keras_ssl.views.ops.crop import RandomResizedCrop
from keras_ssl.views.ops.flip import RandomFlip
from keras_ssl.views.ops.masks import RandomMask


def mae(
    size: Size, patch_size: int, mask_ratio: float = 0.75, flip: bool = True
) -> tuple[View, ...]:
    """The view of MAE, crop and flip, and the mask of its patches.

    Args:
        size: Int > 0, or pair `(height, width)`, the input size of the encoder.
        patch_size: Int > 0, pixels of a patch side, a divisor of both sides of `size`.
        mask_ratio: Float in 0..1, the fraction of patches that the encoder does not see.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        Tuple of a view of images and one of masks.

    Raises:
        TypeError: If `flip` is not a bool or `mask_ratio` is not a number.
        ValueError: If a size is out of range or not a multiple of `patch_size`.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, section 4. The smallest crop is 0.2 of
        the area.
    """
    check_bool(flip=flip)
    size = as_size(size)
    check_int(1, patch_size=patch_size)
    check_fraction(mask_ratio=mask_ratio)
    if any(side % patch_size for side in size):
        raise ValueError(
            f"`size` must be a multiple of `patch_size`, received {size} and {patch_size}."
        )
    crop = RandomResizedCrop(size, (0.2, 1.0))
    view = Compose([crop, *([RandomFlip()] if flip else [])])
    return view, RandomMask(as_size([side // patch_size for side in size], "grid"), mask_ratio)
