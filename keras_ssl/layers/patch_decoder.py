"""A small transformer that paints patches."""

import keras
from keras import layers, ops

from keras_ssl.layers.position_embedding import GridPositionEmbedding
from keras_ssl.layers.transformer import TransformerBlock


@keras.saving.register_keras_serializable("keras_ssl")
class PatchDecoder(layers.Layer):
    """Paints all patches of an image from the tokens of some of them.

    Args:
        width: Int >= 1, of its tokens.
        blocks: Int >= 1.
        heads: Int >= 1, attention heads, a divisor of `width`.
        grid: Pair of ints, rows and columns of patches that positions are made for.
        pixels: Int >= 1, P, numbers in a patch.
        **kwargs: `name` and the like, as in `keras.Layer`.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, section 3; positions are learned.
    """

    def __init__(self, width, blocks, heads, grid, pixels, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.block_count = blocks
        self.heads = heads
        self.grid = tuple(grid)
        self.pixels = pixels

    def build(self, input_shape):
        """Makes the layers for tokens `(B, n, D)`."""
        width, policy = self.width, self.dtype_policy
        tokens = (None, None, width)
        drawn = keras.initializers.TruncatedNormal(stddev=0.02)
        self.embed = layers.Dense(width, dtype=policy)
        self.embed.build(input_shape)
        self.mask_token = self.add_weight((1, 1, width), drawn, name="mask_token")
        self.positions = GridPositionEmbedding(*self.grid, dtype=policy)
        self.positions.build((None, *self.grid, width))
        self.blocks = [
            TransformerBlock(self.heads, 4 * width, dtype=policy, name=f"block{index}")
            for index in range(self.block_count)
        ]
        for block in self.blocks:
            block.build(tokens)
        self.norm = layers.LayerNormalization(epsilon=1e-6, dtype=policy)
        self.norm.build(tokens)
        self.to_pixels = layers.Dense(self.pixels, dtype=policy)
        self.to_pixels.build(tokens)
        self.built = True

    def call(self, visible, class_token, order, grid, training=False):
        """Paints.

        Args:
            visible: `(B, n, D)`, tokens of the patches that were seen.
            class_token: `(B, D)`.
            order: Ints `(B, N)`, the patches that were seen, in the order of `visible`, then the
                others.
            grid: Pair of ints, rows and columns of the N patches.
            training: Bool.

        Returns:
            `(B, N, P)`, of all patches, row by row.
        """
        visible = self.embed(visible)
        count = order.shape[1]
        hidden = ops.cast(self.mask_token, visible.dtype)
        shape = (ops.shape(visible)[0], count - visible.shape[1], self.width)
        patches = ops.concatenate([visible, ops.broadcast_to(hidden, shape)], axis=1)
        patches = ops.take_along_axis(patches, ops.argsort(order, axis=1)[:, :, None], axis=1)
        patches = self.positions(ops.reshape(patches, (-1, *grid, self.width)))
        patches = ops.reshape(patches, (-1, count, self.width))
        x = ops.concatenate([self.embed(class_token)[:, None], patches], axis=1)
        for block in self.blocks:
            x = block(x, training=training)
        return self.to_pixels(self.norm(x)[:, 1:])

    def get_config(self):
        """Returns the constructor's arguments."""
        own = ("width", "heads", "grid", "pixels")
        config = {**super().get_config(), **{name: getattr(self, name) for name in own}}
        return {**config, "blocks": self.block_count}
