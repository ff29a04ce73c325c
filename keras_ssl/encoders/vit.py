"""Vision transformers."""

from typing import Any, NamedTuple

import keras
from keras import layers, ops

from keras_ssl.encoders.blocks import check_input_shape, check_positive_int, normalized
from keras_ssl.positions import GridPositions
from keras_ssl.transformer import TransformerBlock

FEATURES = ("class", "mean")


class Tokens(NamedTuple):
    """What a vision transformer makes of images.

    Attributes:
        class_token: `(B, D)`.
        patches: `(B, h * w, D)`, row by row.
    """

    class_token: Any
    patches: Any


@keras.saving.register_keras_serializable("keras_ssl")
class VisionTransformer(keras.Model):
    """See `vit`, which makes one."""

    def __init__(
        self,
        input_shape,
        patch_size,
        width,
        depth,
        heads,
        registers=0,
        drop_path=0.0,
        features="class",
        layer_scale=None,
        **kwargs,
    ):
        height, columns, channels = check_input_shape(input_shape)
        check_positive_int(patch_size=patch_size, width=width, depth=depth, heads=heads)
        if isinstance(registers, bool) or not isinstance(registers, int) or registers < 0:
            raise ValueError(f"`registers` must be an int of at least 0, received {registers!r}.")
        if width % heads:
            raise ValueError(
                f"`width` must be a multiple of `heads`; received {width} and {heads}."
            )
        if not 0 <= drop_path < 1:
            raise ValueError(f"`drop_path` must be at least 0 and below 1, received {drop_path!r}.")
        if features not in FEATURES:
            raise ValueError(f"`features` must be one of {FEATURES}, received {features!r}.")
        if None in (height, columns) or height % patch_size or columns % patch_size:
            raise ValueError(
                f"`input_shape` must have a height and a width that are multiples of `patch_size`; "
                f"received {tuple(input_shape)} and {patch_size}."
            )
        super().__init__(**{"autocast": False, **kwargs})  # pixels have more levels than bfloat16
        self.image_shape = (height, columns, channels)
        self.patch_size = patch_size
        self.width = width
        self.depth = depth
        self.heads = heads
        self.registers = registers
        self.drop_path = drop_path
        self.feature_kind = features
        self.layer_scale = layer_scale
        drawn = keras.initializers.TruncatedNormal(stddev=0.02)
        # Not a convolution: TensorFlow's returns a wrong shape for a replica without images.
        self.embed = layers.Dense(width, kernel_initializer=drawn, name="patches")
        self.positions = GridPositions(height // patch_size, columns // patch_size)
        self.blocks = [
            TransformerBlock(
                heads,
                4 * width,
                drop_path=drop_path * index / max(1, depth - 1),
                layer_scale=layer_scale,
                name=f"block{index}",
            )
            for index in range(depth)
        ]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.class_token = self.add_weight((1, 1, width), drawn, name="class_token")
        if registers:
            self.register_tokens = self.add_weight((1, registers, width), drawn, name="registers")
        self.build((None, None, None, channels))

    def build(self, input_shape):
        """Makes all weights, for images `(B, H, W, C)` of any size."""
        if self.built:
            return
        width = self.width
        self.embed.build((None, None, None, self.patch_size**2 * self.image_shape[2]))
        self.positions.build((None, None, None, width))
        for block in self.blocks:
            block.build((None, None, width))
        self.norm.build((None, None, width))
        self.built = True

    def call(self, images, training=False):
        """Returns features `(B, D)` of images `(B, H, W, C)` in 0..1, in `floatx`."""
        tokens = self.tokens(images, training)
        if self.feature_kind == "class":
            return tokens.class_token
        return ops.sum(tokens.patches, axis=1) / ops.cast(
            ops.shape(tokens.patches)[1], tokens.patches.dtype
        )

    def tokens(self, images, training=False, mask=None, mask_token=None, keep=None):
        """Passes images and returns every token, normalised, in `floatx`.

        Args:
            images: `(B, H, W, C)`, float 0..1; H and W multiples of the patch size.
            training: Bool.
            mask: Bool tensor `(B, h * w)`, patches that `mask_token` takes the place of, before
                positions are added; or None.
            mask_token: Tensor `(D,)`, or None.
            keep: Int tensor `(B, n)`, the patches that are seen, the others being left out; or
                None for all.

        Returns:
            `Tokens`, of patches `(B, h * w, D)`, or `(B, n, D)` with `keep`.
        """
        x = self._embedded(images, mask, mask_token, keep)
        for block in self.blocks:
            x = block(x, training=training)
        x = ops.cast(self.norm(x), keras.config.floatx())
        return Tokens(x[:, 0], x[:, 1 + self.registers :])

    def attention_maps(self, images):
        """How much the class token attends to each patch in the last block.

        Args:
            images: As in `tokens`.

        Returns:
            `(B, heads, h, w)`; with what it attends to the other tokens each map sums to 1.
        """
        x = self._embedded(images)
        for block in self.blocks[:-1]:
            x = block(x, training=False)
        scores = self.blocks[-1].attention_scores(x)[:, :, 0, 1 + self.registers :]
        rows, columns = (size // self.patch_size for size in images.shape[1:3])
        return ops.reshape(scores, (-1, self.heads, rows, columns))

    def compute_output_spec(self, images, training=False):
        """Features `(B, D)`."""
        return keras.KerasTensor((images.shape[0], self.width), keras.config.floatx())

    @property
    def input_shape(self):
        """`(None, None, None, C)`: images of any size that the patch divides."""
        return (None, None, None, self.image_shape[2])

    @property
    def output_shape(self):
        """`(None, D)`."""
        return (None, self.width)

    def get_config(self):
        """Returns the constructor's arguments."""
        own = ("patch_size", "width", "depth", "heads", "registers", "drop_path", "layer_scale")
        config = {"input_shape": self.image_shape, "features": self.feature_kind, "name": self.name}
        config["dtype"] = keras.saving.serialize_keras_object(self.dtype_policy)
        return {
            **config,
            "trainable": self.trainable,
            **{name: getattr(self, name) for name in own},
        }

    @classmethod
    def from_config(cls, config):
        """Makes the network of a config."""
        trainable = config.pop("trainable", True)
        model = cls(**config)
        if not trainable:
            model.trainable = False
        return model

    def _cut(self, images):
        """Patches `(B, h, w, P)` of images."""
        patch, (height, width, channels) = self.patch_size, ops.shape(images)[1:]
        rows, columns = height // patch, width // patch
        cut = ops.reshape(images, (-1, rows, patch, columns, patch, channels))
        cut = ops.transpose(cut, (0, 1, 3, 2, 4, 5))
        return ops.reshape(cut, (-1, rows, columns, patch * patch * self.image_shape[2]))

    def _embedded(self, images, mask=None, mask_token=None, keep=None):
        """Class token, registers and patches `(B, T, D)`, positions added."""
        for axis, size in enumerate(images.shape[1:3]):
            if size is not None and (size % self.patch_size or not size):
                what = ("height", "width")[axis]
                raise ValueError(
                    f"`images` have {what} {size}, and it must be a multiple of the patch size, "
                    f"{self.patch_size}."
                )
        patches = self.embed(self._cut(normalized(ops.cast(images, keras.config.floatx()))))
        count, rows, columns, width = ops.shape(patches)
        if mask is not None:
            mask = ops.reshape(mask, (-1, rows, columns, 1))
            patches = ops.where(mask, ops.cast(mask_token, patches.dtype), patches)
        patches = ops.reshape(self.positions(patches), (-1, rows * columns, width))
        if keep is not None:
            patches = ops.take_along_axis(patches, keep[:, :, None], axis=1)
        first = [self.class_token]
        if self.registers:
            first.append(self.register_tokens)
        first = ops.concatenate([ops.cast(each, patches.dtype) for each in first], axis=1)
        first = ops.broadcast_to(first, (count, *first.shape[1:]))
        return ops.concatenate([first, patches], axis=1)


def vit(
    input_shape,
    patch_size,
    width=192,
    depth=12,
    heads=3,
    registers=0,
    drop_path=0.0,
    features="class",
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
        features: "class" for the class token, "mean" for the mean of the patches.
        layer_scale: Float, see `TransformerBlock`; 1e-5 in DINOv2. None for none.
        name: String.

    Returns:
        A `keras.Model` from float images `(B, H, W, C)` in 0..1 (it normalises them itself) to
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
        features=features,
        layer_scale=layer_scale,
        name=name,
    )


def vit_tiny(input_shape, patch_size, **kwargs):
    """Builds a vision transformer of width 192, 12 blocks and 3 heads: 5.5 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`.

    Returns:
        As `vit`.

    Source:
        Touvron et al. 2020, https://arxiv.org/abs/2012.12877, table 1.
    """
    return vit(input_shape, patch_size, 192, 12, 3, **{"name": "vit_tiny", **kwargs})


def vit_small(input_shape, patch_size, **kwargs):
    """Builds a vision transformer of width 384, 12 blocks and 6 heads: 22 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`.

    Returns:
        As `vit`.

    Source:
        Touvron et al. 2020, https://arxiv.org/abs/2012.12877, table 1.
    """
    return vit(input_shape, patch_size, 384, 12, 6, **{"name": "vit_small", **kwargs})


def vit_base(input_shape, patch_size, **kwargs):
    """Builds a vision transformer of width 768, 12 blocks and 12 heads: 86 million parameters.

    Args:
        input_shape: See `vit`.
        patch_size: See `vit`.
        **kwargs: Other arguments of `vit`.

    Returns:
        As `vit`.

    Source:
        Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, table 1.
    """
    return vit(input_shape, patch_size, 768, 12, 12, **{"name": "vit_base", **kwargs})
