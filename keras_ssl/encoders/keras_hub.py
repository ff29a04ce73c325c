"""Networks of KerasHub, which return tokens or maps, as encoders that return features."""

import keras
from keras import layers, ops

POOLINGS = ("token", "mean")
# What the networks of a family were trained on: mean and deviation of each channel of 0..1.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NORMALIZED = {"CLIP": CLIP, "DINO": IMAGENET, "ViT": HALVES}


def is_backbone(network):
    """Whether a network is one of KerasHub's, told without importing it."""
    return isinstance(network, keras.Model) and any(
        each.__name__ == "Backbone" and each.__module__.startswith("keras_hub")
        for each in type(network).__mro__
    )


def with_pooling(network):
    """Returns a backbone of KerasHub as an encoder; any other network as it is."""
    return keras_hub(network) if is_backbone(network) else network


def keras_hub(backbone, pooling="token", mean=None, std=None):
    """Makes an encoder of a network of KerasHub.

        backbone = keras_hub.models.ViTBackbone.from_preset("vit_base_patch16_224_imagenet")
        model = keras_ssl.BYOL(keras_ssl.encoders.keras_hub(backbone))

    Methods take such a network as it is too, and then make this of it with the defaults.

    Args:
        backbone: `ViTBackbone`, `DINOV2Backbone`, `CLIPVisionEncoder`, `ResNetBackbone` and the
            like: a network from images to tokens `(B, T, D)` or maps `(B, h, w, D)`.
        pooling: Of tokens, "token" for the first, "mean" for the mean of all patches. Maps are
            averaged.
        mean: Sequence of the mean of each channel, which is taken off images in 0..1; None for what
            the presets of ViT, DINO and CLIP were trained with, 0.5 for other networks.
        std: Sequence likewise, what they are divided by.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`, in
        `floatx`. The backbone is used, not copied.

    Raises:
        TypeError: If it is no backbone of KerasHub.
        ValueError: If `pooling` is unknown, or it returns neither tokens nor maps.
    """
    if not is_backbone(backbone):
        raise TypeError(
            f"`backbone` must be a keras_hub.models.Backbone, received {type(backbone).__name__}."
        )
    if pooling not in POOLINGS:
        raise ValueError(f"`pooling` must be one of {POOLINGS}, received {pooling!r}.")
    shape, output = backbone.input_shape, backbone.output_shape
    is_one = not isinstance(shape, (dict, list)) and not isinstance(output, (dict, list))
    if not is_one or len(shape) != 4 or len(output) not in (3, 4):
        raise ValueError(
            "`backbone` must be a network from images to tokens (B, T, D) or maps (B, h, w, D); "
            f"{type(backbone).__name__} takes {shape} and returns {output}."
        )
    images = keras.Input(shape[1:], name="images")
    x = _normalized(images, type(backbone).__name__, mean, std)
    x = backbone({"images": x} if isinstance(backbone.input, dict) else x)
    registers = getattr(backbone, "num_register_tokens", 0)
    pool = TokenPooling(pooling, registers) if len(output) == 3 else layers.GlobalAveragePooling2D()
    as_float = layers.Identity(dtype=keras.config.floatx(), name="features")
    return keras.Model(images, as_float(pool(x)), name=backbone.name)


@keras.saving.register_keras_serializable("keras_ssl")
class TokenPooling(layers.Layer):
    """The first of tokens `(B, T, D)`, or the mean of those after it and the registers.

    Args:
        pooling: "token" or "mean".
        registers: Int, tokens after the first that stand for no patch.
        **kwargs: `name` and the like, as in `keras.Layer`.
    """

    def __init__(self, pooling, registers=0, **kwargs):
        super().__init__(**kwargs)
        self.pooling = pooling
        self.registers = registers

    def call(self, tokens):
        """Returns features `(B, D)`."""
        if self.pooling == "token":
            return tokens[:, 0]
        return ops.mean(tokens[:, 1 + self.registers :], axis=1)

    def compute_output_shape(self, input_shape):
        """`(B, D)`."""
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {"pooling": self.pooling, "registers": self.registers}
        return {**super().get_config(), **own}


def keras_hub_clip(backbone, mean=None, std=None):
    """Makes both encoders of a CLIP of KerasHub, which end in their common space.

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
        Two functional `keras.Model`s: from float images `(B, H, W, C)` in 0..1, and from int words
        `(B, T)`, to encodings `(B, D)`, in `floatx`. Their layers are used, not copied.

    Raises:
        TypeError: If it is no CLIP of KerasHub.
        ValueError: If `mean` or `std` does not fit the channels.
    """
    if not is_backbone(backbone) or not hasattr(backbone, "get_text_embeddings"):
        raise TypeError(
            "`backbone` must be a keras_hub.models.CLIPBackbone, received "
            f"{type(backbone).__name__}."
        )
    floatx = keras.config.floatx()
    images = keras.Input(backbone.vision_encoder.input_shape[1:], name="images")
    x = backbone.get_vision_embeddings(_normalized(images, "CLIP", mean, std))
    image_encoder = keras.Model(images, layers.Identity(dtype=floatx)(x), name="image_encoder")
    length = backbone.text_encoder.max_sequence_length
    words = keras.Input((length,), dtype="int32", name="words")
    x = backbone.get_text_embeddings(words)
    text_encoder = keras.Model(words, layers.Identity(dtype=floatx)(x), name="text_encoder")
    return image_encoder, text_encoder


def _normalized(images, name, mean, std):
    """Images as a network of that name was trained on them."""
    usual = next((v for key, v in NORMALIZED.items() if name.startswith(key)), HALVES)
    channels = images.shape[-1]
    mean, std = (
        list(given or (known if channels == 3 else [0.5] * channels))
        for given, known in zip((mean, std), usual, strict=True)
    )
    for argument, values in (("mean", mean), ("std", std)):
        if len(values) != channels:
            raise ValueError(
                f"`{argument}` must have a number for each of {channels} channels, received "
                f"{values!r}."
            )
    scale = [1 / deviation for deviation in std]
    offset = [-average / deviation for average, deviation in zip(mean, std, strict=True)]
    return layers.Rescaling(scale, offset, dtype=keras.config.floatx())(images)
