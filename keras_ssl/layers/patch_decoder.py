"""The decoder of a masked autoencoder."""

from typing import Any

import keras
from keras import layers, ops

from keras_ssl._types import Shape, Tensor
from keras_ssl.layers.position_embedding import GridPositionEmbedding
from keras_ssl.layers.transformer import TransformerBlock


@keras.saving.register_keras_serializable("keras_ssl")
class PatchDecoder(layers.Layer):
    """A small transformer that reconstructs all patches of an image from the visible ones.

    Args:
        width: Int >= 1, width of the decoder's tokens.
        blocks: Int >= 1, number of transformer blocks.
        heads: Int >= 1, attention heads. Must divide `width`.
        grid: Pair of ints, rows and columns of patches that position embeddings are made for.
        pixels: Int >= 1, P, numbers in a patch (side * side * channels).
        **kwargs: Arguments of `keras.Layer`, such as `name`.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, section 3. Positions are learned here.

    Example:

        decoder = keras_ssl.layers.PatchDecoder(64, 2, 4, grid=(4, 4), pixels=48)
        visible, class_token = np.random.rand(8, 4, 192), np.random.rand(8, 192)
        order = np.argsort(np.random.rand(8, 16), axis=1)  # the first 4 are visible
        decoder(visible, class_token, order, grid=(4, 4)).shape  # (8, 16, 48)
    """

    def __init__(
        self,
        width: int,
        blocks: int,
        heads: int,
        grid: tuple[int, int],
        pixels: int,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.width = width
        self.num_blocks = blocks
        self.heads = heads
        self.grid = tuple(grid)
        self.pixels = pixels

    def build(self, input_shape: Shape) -> None:
        width, policy = self.width, self.dtype_policy
        token_shape = (None, None, width)
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.embed = layers.Dense(width, dtype=policy)
        self.embed.build(input_shape)
        self.mask_token = self.add_weight((1, 1, width), initializer, name="mask_token")
        self.positions = GridPositionEmbedding(*self.grid, dtype=policy)
        self.positions.build((None, *self.grid, width))
        self.blocks = [
            TransformerBlock(self.heads, 4 * width, dtype=policy, name=f"block{index}")
            for index in range(self.num_blocks)
        ]
        for block in self.blocks:
            block.build(token_shape)
        self.norm = layers.LayerNormalization(epsilon=1e-6, dtype=policy)
        self.norm.build(token_shape)
        self.to_pixels = layers.Dense(self.pixels, dtype=policy)
        self.to_pixels.build(token_shape)
        self.built = True

    def call(
        self,
        visible: Tensor,
        class_token: Tensor,
        order: Tensor,
        grid: tuple[int, int],
        training: bool = False,
    ) -> Tensor:
        """Reconstructs all patches.

        Args:
            visible: `(B, n, D)`, tokens of the visible patches.
            class_token: `(B, D)`.
            order: Ints `(B, N)`, indices of the visible patches, in the order of `visible`, then
                of the masked patches.
            grid: Pair of ints, rows and columns of the N patches.
            training: Bool.

        Returns:
            `(B, N, P)`, all patches row by row.
        """
        visible = self.embed(visible)
        num_patches = order.shape[1]
        mask_token = ops.cast(self.mask_token, visible.dtype)
        masked_shape = (ops.shape(visible)[0], num_patches - visible.shape[1], self.width)
        masked = ops.broadcast_to(mask_token, masked_shape)
        patches = ops.concatenate([visible, masked], axis=1)
        patches = ops.take_along_axis(patches, ops.argsort(order, axis=1)[:, :, None], axis=1)
        patches = self.positions(ops.reshape(patches, (-1, *grid, self.width)))
        patches = ops.reshape(patches, (-1, num_patches, self.width))
        x = ops.concatenate([self.embed(class_token)[:, None], patches], axis=1)
        for block in self.blocks:
            x = block(x, training=training)
        return self.to_pixels(self.norm(x)[:, 1:])

    def get_config(self):
        names = ("width", "heads", "grid", "pixels")
        arguments = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **arguments, "blocks": self.num_blocks}
