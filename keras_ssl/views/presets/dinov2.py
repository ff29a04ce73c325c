"""The views and masks of DINOv2."""

from keras_ssl._types import Size, View
from keras_ssl.validation import as_size, check_int
from keras_ssl.views.ops.masks import BlockMask
from keras_ssl.views.presets.contrastive import MIN_LARGE_SIDE
from keras_ssl.views.presets.multi_crop import dino


def dinov2(
    size: Size,
    patch_size: int,
    small_size: Size | None = None,
    small_crops: int = 8,
    flip: bool = True,
) -> tuple[View, ...]:
    """The views of DINOv2: those of `dino`, then a block mask for each of the two large crops.

    Args:
        size: See `dino`.
        patch_size: Int > 0, pixels of a patch side, a divisor of the sides of all crops.
        small_size: See `dino`. None for the default of `dino`, rounded down to whole patches.
        small_crops: See `dino`.
        flip: See `dino`.

    Returns:
        Tuple of `4 + small_crops` views: two large crops, the small crops and two masks.

    Raises:
        TypeError: If `small_crops` is not an int or `flip` is not a bool.
        ValueError: If a size is out of range or not a multiple of `patch_size`.

    Source:
        Oquab et al. 2023, https://arxiv.org/abs/2304.07193, section 4 and appendix B.1.
    """
    size = as_size(size)
    check_int(1, patch_size=patch_size)
    if small_size is None:
        halves = [side // 2 if side < MIN_LARGE_SIDE else round(side * 96 / 224) for side in size]
        default = [max(side // patch_size, 1) * patch_size for side in halves]
        small_size = as_size(default, "small_size")
    sizes = {"size": size, "small_size": as_size(small_size, "small_size")}
    for name, sides in sizes.items():
        if any(side % patch_size for side in sides):
            raise ValueError(
                f"`{name}` must be a multiple of `patch_size`, received {sides} and {patch_size}."
            )
    crops = dino(size, small_size, small_crops, flip)
    mask = BlockMask(as_size([side // patch_size for side in size], "grid"))
    return (*crops, mask, mask)
