"""Networks of KerasHub as encoders.

KerasHub's networks return tokens or feature maps. KerasHub itself is not imported here.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_ssl.validation import check_choice

POOLINGS = ("token", "mean")
# Mean and standard deviation of each channel in 0..1 that the networks of a family were trained
# with: torchvision's for ImageNet, OpenAI's for CLIP, and 0.5 for the original vision transformer.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
FAMILY_STATISTICS = {"CLIP": CLIP, "DINO": IMAGENET, "ViT": HALF}


def is_backbone(network):
    """Returns whether a network is a KerasHub backbone, without importing KerasHub."""
    return isinstance(network, keras.Model) and any(
        base.__name__ == "Backbone" and base.__module__.startswith("keras_hub")
        for base in type(network).__mro__
    )


def with_pooling(network):
    """Returns a KerasHub backbone as an encoder, and any other network unchanged."""
    return keras_hub(network) if is_backbone(network) else network


def keras_hub(
    backbone: keras.Model,
    pooling: str = "token",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> keras.Model:
    """Makes an encoder from a KerasHub backbone.

        backbone = keras_hub.models.ViTBackbone.from_preset("vit_base_patch16_224_imagenet")
        model = keras_ssl.BYOL(keras_ssl.encoders.keras_hub(backbone))

    Methods also accept a backbone and then call this function with its defaults.

    Args:
        backbone: KerasHub backbone from images to tokens `(B, T, D)` or feature maps
            `(B, h, w, D)`, such as `ViTBackbone`, `DINOV2Backbone`, `CLIPVisionEncoder` or
            `ResNetBackbone`.
        pooling: Pooling of tokens: "token" for the first token, "mean" for the mean of all
            patches. Feature maps are always averaged.
        mean: Sequence with the mean of each channel, which is subtracted from images in 0..1. None
            for the mean that the presets of ViT, DINO and CLIP were trained with, and 0.5 for
            other networks.
        std: Sequence with the standard deviation of each channel, which images are divided by.
            None as for `mean`.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`, in
        `floatx`. The backbone is used, not copied.

    Raises:
        TypeError: If `backbone` is not a KerasHub backbone.
        ValueError: If `pooling` is unknown, or the backbone returns neither tokens nor maps.
    """
    if not is_backbone(backbone):
        raise TypeError(
            f"`backbone` must be a keras_hub.models.Backbone, received {type(backbone).__name__}."
        )
    check_choice(POOLINGS, pooling=pooling)
    shape, output = backbone.input_shape, backbone.output_shape
    is_single = not isinstance(shape, (dict, list)) and not isinstance(output, (dict, list))
    if not is_single or len(shape) != 4 or len(output) not in (3, 4):
        raise ValueError(
            "`backbone` must be a network from images to tokens (B, T, D) or maps (B, h, w, D); "
            f"{type(backbone).__name__} takes {shape} and returns {output}."
        )
    images = keras.Input(shape[1:], name="images")
    x = _normalize(images, type(backbone).__name__, mean, std)
    x = backbone({"images": x} if isinstance(backbone.input, dict) else x)
    registers = getattr(backbone, "num_register_tokens", 0)
    pool = TokenPooling(pooling, registers) if len(output) == 3 else layers.GlobalAveragePooling2D()
    features = layers.Identity(dtype=keras.config.floatx(), name="features")(pool(x))
    return keras.Model(images, features, name=backbone.name)


@keras.saving.register_keras_serializable("keras_ssl")
class TokenPooling(layers.Layer):
    """Pools tokens `(B, T, D)` to features `(B, D)`: the first token, or the mean of the patches.

    Args:
        pooling: "token" or "mean".
        registers: Int, number of register tokens, which follow the first token and are not part of
            the mean.
        **kwargs: Arguments of `keras.Layer`, such as `name`.
    """

    def __init__(self, pooling: str, registers: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.pooling = pooling
        self.registers = registers

    def call(self, tokens):
        """Returns features `(B, D)`."""
        if self.pooling == "token":
            return tokens[:, 0]
        return ops.mean(tokens[:, 1 + self.registers :], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling, "registers": self.registers}


def keras_hub_clip(
    backbone: keras.Model,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Makes the image encoder and the text encoder of a KerasHub CLIP, projections included.

        backbone = keras_hub.models.CLIPBackbone.from_preset("clip_vit_base_patch32")
        tokenizer = keras_hub.models.CLIPTokenizer.from_preset("clip_vit_base_patch32")
        image_encoder, text_encoder = keras_ssl.encoders.keras_hub_clip(backbone)
        model = keras_ssl.CLIP(
            image_encoder, text_encoder, projection=None, temperature=0.01, tokenizer=tokenizer
        )

    Args:
        backbone: `keras_hub.models.CLIPBackbone`.
        mean: As in `keras_hub`.
        std: As in `keras_hub`.

    Returns:
        Two functional `keras.Model`s: from float images `(B, H, W, C)` in 0..1, and from int token
        ids `(B, T)`, to embeddings `(B, D)` in a shared space, in `floatx`. Their layers are used,
        not copied.

    Raises:
        TypeError: If `backbone` is not a KerasHub CLIP.
        ValueError: If `mean` or `std` does not fit the number of channels.
    """
    if not is_backbone(backbone) or not hasattr(backbone, "get_text_embeddings"):
        raise TypeError(
            "`backbone` must be a keras_hub.models.CLIPBackbone, received "
            f"{type(backbone).__name__}."
        )
    floatx = keras.config.floatx()
    images = keras.Input(backbone.vision_encoder.input_shape[1:], name="images")
    x = backbone.get_vision_embeddings(_normalize(images, "CLIP", mean, std))
    image_encoder = keras.Model(images, layers.Identity(dtype=floatx)(x), name="image_encoder")
    length = backbone.text_encoder.max_sequence_length
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    x = backbone.get_text_embeddings(token_ids)
    text_encoder = keras.Model(token_ids, layers.Identity(dtype=floatx)(x), name="text_encoder")
    return image_encoder, text_encoder


def _normalize(images, class_name, mean, std):
    """Normalizes images with `mean` and `std`, or with those of the network's family."""
    families = (family for family in FAMILY_STATISTICS if class_name.startswith(family))
    default_mean, default_std = FAMILY_STATISTICS.get(next(families, None), HALF)
    channels = images.shape[-1]
    if channels != 3:
        default_mean = default_std = [0.5] * channels
    mean, std = list(mean or default_mean), list(std or default_std)
    for argument, values in (("mean", mean), ("std", std)):
        if len(values) != channels:
            raise ValueError(
                f"`{argument}` must have a number for each of {channels} channels, received "
                f"{values!r}."
            )
    scale = [1 / s for s in std]
    offset = [-m / s for m, s in zip(mean, std, strict=True)]
    return layers.Rescaling(scale, offset, dtype=keras.config.floatx())(images)
