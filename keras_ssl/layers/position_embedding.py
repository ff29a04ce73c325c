"""Position embeddings for grids of any size."""

from typing import Any

import keras
from keras import layers, ops

from keras_ssl._types import Shape, Tensor

CUBIC_COEFFICIENT = -0.75  # a of Keys' cubic kernel; PyTorch's interpolation uses this value


@keras.saving.register_keras_serializable("keras_ssl")
class GridPositionEmbedding(layers.Layer):
    """Adds a learned position embedding to each cell of a grid `(B, h, w, D)`.

    For grids of another size the embeddings are interpolated. The interpolation is bicubic, and
    is a product of matrices, so that it also compiles when the size is not known.

    Args:
        height: Int >= 1, rows of the grid that embeddings are learned for.
        width: Int >= 1, columns of that grid.
        **kwargs: Arguments of `keras.Layer`, such as `name`.

    Source:
        Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, section 3.2. Bicubic
        interpolation as in DINO's code.

    Example:

        positions = keras_ssl.layers.GridPositionEmbedding(8, 8)
        positions(np.random.rand(2, 8, 8, 64)).shape  # (2, 8, 8, 64)
        positions(np.random.rand(2, 3, 5, 64)).shape  # (2, 3, 5, 64)
    """

    def __init__(self, height: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.height = height
        self.width = width

    def build(self, input_shape: Shape) -> None:
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        shape = (self.height, self.width, input_shape[-1])
        self.embeddings = self.add_weight(shape, initializer, name="embeddings")
        self.built = True

    def call(self, grid: Tensor) -> Tensor:
        """Returns the grid with the embeddings added."""
        rows, columns = ops.shape(grid)[1:3]
        embeddings = ops.convert_to_tensor(self.embeddings)
        if tuple(grid.shape[1:3]) != (self.height, self.width):
            row_weights = _cubic_weights(rows, self.height, embeddings.dtype)
            column_weights = _cubic_weights(columns, self.width, embeddings.dtype)
            embeddings = ops.einsum("hi,wj,ijd->hwd", row_weights, column_weights, embeddings)
        return grid + ops.cast(embeddings, grid.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width}


def _cubic_weights(size, source_size, dtype):
    """Returns the matrix `(size, source_size)` that resizes one axis by cubic interpolation.

    Pixel centers are aligned and edges are repeated.
    """
    scale = source_size / ops.cast(size, dtype)
    positions = (ops.cast(ops.arange(size), dtype) + 0.5) * scale - 0.5
    floors = ops.floor(positions)
    source_indices = ops.cast(ops.arange(source_size), dtype)
    weights = 0.0
    for tap in (-1, 0, 1, 2):
        tap_indices = ops.clip(floors + tap, 0, source_size - 1)
        is_tap = ops.cast(ops.equal(tap_indices[:, None], source_indices[None, :]), dtype)
        weights = weights + is_tap * _cubic_kernel(positions - floors - tap)[:, None]
    return weights


def _cubic_kernel(distance):
    """Keys' cubic kernel for distances in -2..2."""
    x, a = ops.abs(distance), CUBIC_COEFFICIENT
    inner = (a + 2) * x**3 - (a + 3) * x**2 + 1
    outer = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return ops.where(x <= 1, inner, outer)
