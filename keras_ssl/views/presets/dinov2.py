"""The views and masks of DINOv2."""

from keras_ssl.validation import as_size, check_int
from keras_ssl.views.ops.masks import BlockMask
from keras_ssl.views.presets.multi_crop import dino


def dinov2(size, patch_size, small_size=None, small_crops=8, flip=True):
    """The views of DINOv2: those of DINO, then a mask of blocks for each of the two large crops.

    Args:
        size: See `dino`.
        patch_size: Int > 0, pixels a side of a patch, a divisor of the sides of all crops.
        small_size: See `dino`; None for its own, rounded down to patches.
        small_crops: See `dino`.
        flip: See `dino`.

    Returns:
        Tuple of `4 + small_crops` views: two large crops, the small ones, two masks.

    Raises:
        TypeError: If `small_crops` is not an int or `flip` not a bool.
        ValueError: If a size is out of range or no multiple of the patch.

    Source:
        Oquab et al. 2023, https://arxiv.org/abs/2304.07193, section 4 and appendix B.1.
    """
    height, width = as_size(size)
    check_int(1, patch_size=patch_size)
    if small_size is None:
        halves = (side // 2 if side < 64 else round(side * 96 / 224) for side in (height, width))
        small_size = tuple(max(half // patch_size, 1) * patch_size for half in halves)
    for name, sides in (
        ("size", (height, width)),
        ("small_size", as_size(small_size, "small_size")),
    ):
        if any(side % patch_size for side in sides):
            raise ValueError(
                f"`{name}` must be a multiple of `patch_size`, received {sides} and {patch_size}."
            )
    crops = dino((height, width), small_size, small_crops, flip)
    mask = BlockMask((height // patch_size, width // patch_size))
    return (*crops, mask, mask)
