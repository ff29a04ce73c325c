"""The network of a vision transformer."""

import math
from typing import Any, NamedTuple

import keras
from keras import layers, ops

from keras_ssl.encoders.blocks import check_heads, check_input_shape, normalized
from keras_ssl.layers.position_embedding import GridPositionEmbedding
from keras_ssl.layers.transformer import TransformerBlock
from keras_ssl.validation import check_int

POOLINGS = ("token", "mean")


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
        pooling="token",
        layer_scale=None,
        **kwargs,
    ):
        height, columns, channels = check_input_shape(input_shape)
        check_int(1, patch_size=patch_size, width=width, depth=depth, heads=heads)
        if isinstance(registers, bool) or not isinstance(registers, int) or registers < 0:
            raise ValueError(f"`registers` must be an int of at least 0, received {registers!r}.")
        check_heads(width, heads)
        for argument, value in (("drop_path", drop_path), ("layer_scale", layer_scale)):
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number and not (argument == "layer_scale" and value is None):
                raise TypeError(f"`{argument}` must be a number, received {value!r}.")
        if layer_scale is not None and not math.isfinite(layer_scale):
            raise ValueError(f"`layer_scale` must be finite, received {layer_scale!r}.")
        if not 0 <= drop_path < 1:
            raise ValueError(f"`drop_path` must be at least 0 and below 1, received {drop_path!r}.")
        if not isinstance(pooling, str) or pooling not in POOLINGS:
            raise ValueError(f"`pooling` must be one of {POOLINGS}, received {pooling!r}.")
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
        self.pooling = pooling
        self.layer_scale = layer_scale
        drawn = keras.initializers.TruncatedNormal(stddev=0.02)
        # Not a convolution: TensorFlow's returns a wrong shape for a replica without images.
        self.embed = layers.Dense(width, kernel_initializer=drawn, name="patches")
        self.positions = GridPositionEmbedding(height // patch_size, columns // patch_size)
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
        if self.pooling == "class":
            return tokens.class_token
        return ops.sum(tokens.patches, axis=1) / ops.cast(
            ops.shape(tokens.patches)[1], tokens.patches.dtype
        )

    def tokens(self, images, training=False, mask=None, mask_token=None, keep=None):
        """Passes images and returns every token, normalized, in `floatx`.

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

    def weights_by_depth(self):
        """Lists of trainable weights: of what embeds patches, then of each block; no last norm."""
        first = [*self.embed.trainable_weights, *self.positions.trainable_weights]
        first += [self.class_token, *([self.register_tokens] if self.registers else [])]
        return [first, *(block.trainable_weights for block in self.blocks)]

    def patches_of(self, images):
        """Cuts images `(B, H, W, C)` into patches `(B, h, w, P)`, P numbers each."""
        patch, (height, width, channels) = self.patch_size, ops.shape(images)[1:]
        rows, columns = height // patch, width // patch
        cut = ops.reshape(images, (-1, rows, patch, columns, patch, channels))
        cut = ops.transpose(cut, (0, 1, 3, 2, 4, 5))
        return ops.reshape(cut, (-1, rows, columns, patch * patch * self.image_shape[2]))

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
        config = {"input_shape": self.image_shape, "pooling": self.pooling, "name": self.name}
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

    def _embedded(self, images, mask=None, mask_token=None, keep=None):
        """Class token, registers and patches `(B, T, D)`, positions added."""
        for axis, size in enumerate(images.shape[1:3]):
            if isinstance(size, int) and (size % self.patch_size or not size):
                what = ("height", "width")[axis]
                raise ValueError(
                    f"`images` have {what} {size}, and it must be a multiple of the patch size, "
                    f"{self.patch_size}."
                )
        patches = self.embed(self.patches_of(normalized(ops.cast(images, keras.config.floatx()))))
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
