"""The vision transformer network."""

from typing import Any, NamedTuple

import keras
from keras import layers, ops

from keras_ssl._types import Tensor
from keras_ssl.encoders.blocks import check_heads, check_input_shape, normalize
from keras_ssl.layers.position_embedding import GridPositionEmbedding
from keras_ssl.layers.transformer import TransformerBlock
from keras_ssl.numerics import mean
from keras_ssl.validation import check_choice, check_fraction, check_int, check_number

POOLINGS = ("token", "mean")


class Tokens(NamedTuple):
    """Output tokens of a vision transformer.

    Attributes:
        class_token: `(B, D)`.
        patches: `(B, h * w, D)`, row by row.
    """

    class_token: Tensor
    patches: Tensor


@keras.saving.register_keras_serializable("keras_ssl")
class VisionTransformer(keras.Model):
    """The network that `vit` builds. Arguments are those of `vit`."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        patch_size: int,
        width: int,
        depth: int,
        heads: int,
        registers: int = 0,
        drop_path: float = 0.0,
        pooling: str = "token",
        layer_scale: float | None = None,
        **kwargs: Any,
    ):
        height, columns, channels = check_input_shape(input_shape)
        check_int(1, patch_size=patch_size, width=width, depth=depth, heads=heads)
        check_int(0, registers=registers)
        check_heads(width, heads)
        check_fraction(drop_path=drop_path)
        if drop_path == 1:
            raise ValueError("`drop_path` must be below 1, received 1.")
        if layer_scale is not None:
            check_number(layer_scale=layer_scale)
        check_choice(POOLINGS, pooling=pooling)
        if None in (height, columns) or height % patch_size or columns % patch_size:
            raise ValueError(
                f"`input_shape` must have a height and a width that are multiples of `patch_size`, "
                f"received {tuple(input_shape)} and {patch_size}."
            )
        super().__init__(**{"autocast": False, **kwargs})  # bfloat16 cannot represent all pixels
        self.image_shape = (height, columns, channels)
        self.patch_size = patch_size
        self.width = width
        self.depth = depth
        self.heads = heads
        self.registers = registers
        self.drop_path = drop_path
        self.pooling = pooling
        self.layer_scale = layer_scale
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        # A dense layer, because TensorFlow's convolution returns a wrong shape for an empty batch,
        # which a replica may receive.
        self.embed = layers.Dense(width, kernel_initializer=initializer, name="patches")
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
        self.class_token = self.add_weight((1, 1, width), initializer, name="class_token")
        if registers:
            self.register_tokens = self.add_weight(
                (1, registers, width), initializer, name="registers"
            )
        self.build((None, None, None, channels))

    def build(self, input_shape):
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
        """Returns the features `(B, D)` of images `(B, H, W, C)` in 0..1, in `floatx`."""
        tokens = self.tokens(images, training)
        if self.pooling == "token":
            return tokens.class_token
        return mean(tokens.patches, axis=1)

    def tokens(
        self,
        images: Tensor,
        training: bool = False,
        mask: Tensor | None = None,
        mask_token: Tensor | None = None,
        keep: Tensor | None = None,
    ) -> Tokens:
        """Returns the class token and the patch tokens of images, normalized, in `floatx`.

        Args:
            images: Float `(B, H, W, C)` in 0..1. H and W are multiples of the patch size.
            training: Bool.
            mask: Bool tensor `(B, h * w)`, True for patches that are replaced by `mask_token`
                before positions are added; or None.
            mask_token: Tensor `(D,)`, or None.
            keep: Int tensor `(B, n)`, indices of the patches that the network sees. All others are
                dropped. None keeps all patches.

        Returns:
            `Tokens` with patches `(B, h * w, D)`, or `(B, n, D)` if `keep` is given.
        """
        x = self._embed_tokens(images, mask, mask_token, keep)
        for block in self.blocks:
            x = block(x, training=training)
        x = ops.cast(self.norm(x), keras.config.floatx())
        return Tokens(x[:, 0], x[:, 1 + self.registers :])

    def weights_by_depth(self) -> list[list[keras.Variable]]:
        """Returns the trainable weights of the embeddings, then those of each block, as lists.

        The last layer normalization is not included.
        """
        embeddings = [*self.embed.trainable_weights, *self.positions.trainable_weights]
        embeddings += [self.class_token, *([self.register_tokens] if self.registers else [])]
        return [embeddings, *(block.trainable_weights for block in self.blocks)]

    def patchify(self, images: Tensor) -> Tensor:
        """Cuts images `(B, H, W, C)` into patches `(B, h, w, P)` of P numbers each."""
        patch, (height, width, channels) = self.patch_size, ops.shape(images)[1:]
        rows, columns = height // patch, width // patch
        patches = ops.reshape(images, (-1, rows, patch, columns, patch, channels))
        patches = ops.transpose(patches, (0, 1, 3, 2, 4, 5))
        return ops.reshape(patches, (-1, rows, columns, patch * patch * self.image_shape[2]))

    def attention_maps(self, images: Tensor) -> Tensor:
        """Returns the attention of the class token to each patch in the last block.

        Args:
            images: As in `tokens`.

        Returns:
            `(B, heads, h, w)`. Each map sums to 1 minus the attention to the class token and the
            registers.
        """
        x = self._embed_tokens(images)
        for block in self.blocks[:-1]:
            x = block(x, training=False)
        scores = self.blocks[-1].attention_scores(x)[:, :, 0, 1 + self.registers :]
        rows, columns = (size // self.patch_size for size in images.shape[1:3])
        return ops.reshape(scores, (-1, self.heads, rows, columns))

    def compute_output_spec(self, images, training=False):
        return keras.KerasTensor((images.shape[0], self.width), keras.config.floatx())

    @property
    def input_shape(self):
        """`(None, None, None, C)`: images of any size that is a multiple of the patch size."""
        return (None, None, None, self.image_shape[2])

    @property
    def output_shape(self):
        """`(None, D)`."""
        return (None, self.width)

    def get_config(self):
        names = ("patch_size", "width", "depth", "heads", "registers", "drop_path", "layer_scale")
        config = {"input_shape": self.image_shape, "pooling": self.pooling, "name": self.name}
        config["dtype"] = keras.saving.serialize_keras_object(self.dtype_policy)
        return {
            **config,
            "trainable": self.trainable,
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config):
        trainable = config.pop("trainable", True)
        model = cls(**config)
        if not trainable:
            model.trainable = False
        return model

    def _embed_tokens(self, images, mask=None, mask_token=None, keep=None):
        """Returns class token, registers and patches `(B, T, D)`, with positions added."""
        for axis, size in enumerate(images.shape[1:3]):
            if isinstance(size, int) and (size % self.patch_size or not size):
                side = ("height", "width")[axis]
                raise ValueError(
                    f"The {side} of `images` must be a multiple of the patch size, "
                    f"{self.patch_size}, received {size}."
                )
        patches = self.embed(self.patchify(normalize(ops.cast(images, keras.config.floatx()))))
        batch_size, rows, columns, width = ops.shape(patches)
        if mask is not None:
            mask = ops.reshape(mask, (-1, rows, columns, 1))
            patches = ops.where(mask, ops.cast(mask_token, patches.dtype), patches)
        patches = ops.reshape(self.positions(patches), (-1, rows * columns, width))
        if keep is not None:
            patches = ops.take_along_axis(patches, keep[:, :, None], axis=1)
        prefix = [self.class_token, *([self.register_tokens] if self.registers else [])]
        prefix = ops.concatenate([ops.cast(token, patches.dtype) for token in prefix], axis=1)
        prefix = ops.broadcast_to(prefix, (batch_size, *prefix.shape[1:]))
        return ops.concatenate([prefix, patches], axis=1)
