"""Vision transformers, by their sizes."""

from keras_ssl.encoders.vision_transformer import VisionTransformer


def vit(
    input_shape,
    patch_size,
    width=192,
    depth=12,
    heads=3,
    registers=0,
    drop_path=0.0,
    pooling="token",
    layer_scale=None,
    name="vit",
):
    """Builds a vision transformer.

        encoder = keras_ssl.encoders.vit((32, 32, 3), patch_size=4, width=192, depth=12, heads=3)
        encoder(images)  # features (B, 192)
        encoder.tokens(images)  # class_token (B, 192), patches (B, 64, 192)
        encoder.attention_maps(images)  # (B, 3, 8, 8)

    Args:
        input_shape: `(H, W, C)`, which position embeddings are made for; others are interpolated,
            so that one encoder takes crops of several sizes.
        patch_size: Int >= 1, pixels a side of a patch; sides of images are multiples of it.
        width: Int >= 1, D, of each token.
        depth: Int >= 1, blocks.
        heads: Int >= 1, attention heads, a divisor of `width`.
        registers: Int >= 0, further tokens that no patch stands for.
        drop_path: Float, at least 0 and below 1, how often a branch of the last block is left out
            for an image in training; from the first block on it rises on a line.
        pooling: "token" for the class token, "mean" for the mean of the patches.
        layer_scale: Float, see `TransformerBlock`; 1e-5 in DINOv2. None for none.
        name: String.

    Returns:
        A `keras.Model` from float images `(B, H, W, C)` in 0..1 (it normalizes them itself) to
        features `(B, D)`, float32 whatever the precision policy (`floatx`).

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If an argument is out of range, or the sides are not multiples of the patch.

    Source:
        Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929; registers of Darcet et al. 2023,
        https://arxiv.org/abs/2309.16588.
    """
    return VisionTransformer(
        *(input_shape, patch_size, width, depth, heads),
        registers=registers,
        drop_path=drop_path,
        pooling=pooling,
        layer_scale=layer_scale,
        name=name,
    )


def vit_tiny(input_shape, patch_size, **kwargs):
    """Builds a vision transformer of width 192, 12 blocks and 3 heads: 5.5 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`, sizes too.

    Returns:
        As `vit`.

    Source:
        Touvron et al. 2020, https://arxiv.org/abs/2012.12877, table 1.
    """
    sizes = {"width": 192, "depth": 12, "heads": 3}
    return vit(input_shape, patch_size, **{**sizes, "name": "vit_tiny", **kwargs})


def vit_small(input_shape, patch_size, **kwargs):
    """Builds a vision transformer of width 384, 12 blocks and 6 heads: 22 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`, sizes too.

    Returns:
        As `vit`.

    Source:
        Touvron et al. 2020, https://arxiv.org/abs/2012.12877, table 1.
    """
    sizes = {"width": 384, "depth": 12, "heads": 6}
    return vit(input_shape, patch_size, **{**sizes, "name": "vit_small", **kwargs})


def vit_base(input_shape, patch_size, **kwargs):
    """Builds a vision transformer of width 768, 12 blocks and 12 heads: 86 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`, sizes too.

    Returns:
        As `vit`.

    Source:
        Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, table 1.
    """
    sizes = {"width": 768, "depth": 12, "heads": 12}
    return vit(input_shape, patch_size, **{**sizes, "name": "vit_base", **kwargs})
