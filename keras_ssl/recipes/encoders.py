"""Encoders of the recipes, by the options of a run."""

import math
from typing import Any

import keras

from keras_ssl import encoders
from keras_ssl.recipes.base import Config

VIT_OPTIONS = ("width", "depth", "heads")
SMALL_VIT = {"width": 48, "depth": 3, "heads": 3}  # enough for digits
CIFAR_STEM_BELOW = 64  # pixels; the ImageNet stem divides the side of an image by 4


def encoder(config: Config, image_shape: tuple[int, int, int]) -> keras.Model:
    """Builds the encoder that `config.encoder` names.

    Args:
        config: Options of the run.
        image_shape: `(height, width, channels)`.

    Raises:
        ValueError: If an option of vision transformers is given for another encoder.
    """
    if config.encoder.startswith("vit"):
        return vit(config, image_shape)
    for name in ("patch_size", *VIT_OPTIONS):
        if getattr(config, name) is not None:
            raise ValueError(
                f"`{name}` applies to vision transformers only. Received encoder "
                f"{config.encoder!r}: choose one such as vit_tiny, or omit `{name}`."
            )
    is_resnet = config.encoder.startswith("resnet")
    is_small = min(image_shape[:2]) < CIFAR_STEM_BELOW
    stem = {"stem": "cifar"} if is_resnet and is_small else {}
    return getattr(encoders, config.encoder)(image_shape, **stem)


def vit(config: Config, image_shape: tuple[int, int, int], **kwargs: Any) -> keras.Model:
    """Builds a vision transformer, a small one if `config.encoder` names another architecture.

    Args:
        config: Options of the run.
        image_shape: `(height, width, channels)`.
        **kwargs: Further arguments of `keras_ssl.encoders.vit`.
    """
    given = {name: getattr(config, name) for name in VIT_OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    patch = patch_size(config, image_shape)
    if config.encoder.startswith("vit"):
        return getattr(encoders, config.encoder)(image_shape, patch, **{**given, **kwargs})
    return encoders.vit(image_shape, patch, **{**SMALL_VIT, **given, **kwargs})


def patch_size(config: Config, image_shape: tuple[int, int, int]) -> int:
    """Returns the side of a patch in pixels, by default one that divides the image."""
    if config.patch_size is not None:
        return config.patch_size
    preferred = max(2, min(16, min(image_shape[:2]) // 8))
    common_divisor = math.gcd(*image_shape[:2])
    larger_first = (*range(preferred, 17), *range(preferred - 1, 1, -1))
    return next((side for side in larger_first if common_divisor % side == 0), preferred)
