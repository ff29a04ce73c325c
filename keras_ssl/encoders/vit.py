"""Vision transformers in the sizes of the papers."""

from typing import Any

import keras

from keras_ssl.encoders.vision_transformer import VisionTransformer


def vit(
    input_shape: tuple[int, int, int],
    patch_size: int,
    width: int = 192,
    depth: int = 12,
    heads: int = 3,
    registers: int = 0,
    drop_path: float = 0.0,
    pooling: str = "token",
    layer_scale: float | None = None,
    name: str = "vit",
) -> keras.Model:
    """Builds a vision transformer.

        encoder = keras_ssl.encoders.vit((32, 32, 3), patch_size=4, width=192, depth=12, heads=3)
        encoder(images)  # features (B, 192)
        encoder.tokens(images)  # class_token (B, 192), patches (B, 64, 192)
        encoder.attention_maps(images)  # (B, 3, 8, 8)

    Args:
        input_shape: `(H, W, C)` that position embeddings are learned for. For other sizes they are
            interpolated, so that one encoder takes crops of several sizes.
        patch_size: Int >= 1, side of a patch in pixels. The sides of images must be multiples of
            it.
        width: Int >= 1, D, width of each token.
        depth: Int >= 1, number of blocks.
        heads: Int >= 1, attention heads. Must divide `width`.
        registers: Int >= 0, number of register tokens.
        drop_path: Float, at least 0 and below 1, probability that a residual branch of the last
            block is dropped for an image in training. It rises linearly from 0 in the first block.
        pooling: "token" for the class token, "mean" for the mean of the patches.
        layer_scale: Float, initial layer scale, see `TransformerBlock`; 1e-5 in DINOv2. None for no
            layer scale.
        name: String.

    Returns:
        A `keras.Model` from float images `(B, H, W, C)` in 0..1, which it normalizes, to features
        `(B, D)`, in float32 (`floatx`) under any precision policy.

    Raises:
        TypeError: If `input_shape` is not a sequence of three, or a number has the wrong type.
        ValueError: If an argument is out of range, or `patch_size` does not divide the sides of
            `input_shape`.

    Source:
        Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929. Registers are those of Darcet et
        al. 2023, https://arxiv.org/abs/2309.16588.
    """
    return VisionTransformer(
        *(input_shape, patch_size, width, depth, heads),
        registers=registers,
        drop_path=drop_path,
        pooling=pooling,
        layer_scale=layer_scale,
        name=name,
    )


def vit_tiny(input_shape: tuple[int, int, int], patch_size: int, **kwargs: Any) -> keras.Model:
    """Builds a vision transformer with width 192, 12 blocks and 3 heads: 5.5 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`, including sizes.

    Returns:
        A `keras.Model`, as `vit` does.

    Source:
        Touvron et al. 2020, https://arxiv.org/abs/2012.12877, table 1.
    """
    sizes = {"width": 192, "depth": 12, "heads": 3}
    return vit(input_shape, patch_size, **{**sizes, "name": "vit_tiny", **kwargs})


def vit_small(input_shape: tuple[int, int, int], patch_size: int, **kwargs: Any) -> keras.Model:
    """Builds a vision transformer with width 384, 12 blocks and 6 heads: 22 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`, including sizes.

    Returns:
        A `keras.Model`, as `vit` does.

    Source:
        Touvron et al. 2020, https://arxiv.org/abs/2012.12877, table 1.
    """
    sizes = {"width": 384, "depth": 12, "heads": 6}
    return vit(input_shape, patch_size, **{**sizes, "name": "vit_small", **kwargs})


def vit_base(input_shape: tuple[int, int, int], patch_size: int, **kwargs: Any) -> keras.Model:
    """Builds a vision transformer with width 768, 12 blocks and 12 heads: 86 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`, including sizes.

    Returns:
        A `keras.Model`, as `vit` does.

    Source:
        Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, table 1.
    """
    sizes = {"width": 768, "depth": 12, "heads": 12}
    return vit(input_shape, patch_size, **{**sizes, "name": "vit_base", **kwargs})
