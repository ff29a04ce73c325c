"""Position embeddings for grids of several sizes."""

import keras
from keras import layers, ops

SHARPNESS = -0.75  # of the cubic kernel, as in PyTorch's interpolation


@keras.saving.register_keras_serializable("keras_ssl")
class GridPositionEmbedding(layers.Layer):
    """Adds a learned embedding of its place to each cell of a grid `(B, h, w, D)`.

    Grids of another size than that it was made for get interpolated ones: bicubic, by a product of
    matrices, which compiles for sizes that are left open too.

    Args:
        height: Int >= 1, rows that it was made for.
        width: Int >= 1, columns.
        **kwargs: `name` and the like, as in `keras.Layer`.

    Source:
        Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, section 3.2; bicubic as in the
        code of DINO.
    """

    def __init__(self, height, width, **kwargs):
        super().__init__(**kwargs)
        self.height = height
        self.width = width

    def build(self, input_shape):
        """Makes the embeddings `(height, width, D)`."""
        drawn = keras.initializers.TruncatedNormal(stddev=0.02)
        shape = (self.height, self.width, input_shape[-1])
        self.embeddings = self.add_weight(shape, drawn, name="embeddings")
        self.built = True

    def call(self, grid):
        """Returns the grid with embeddings added."""
        rows, columns = ops.shape(grid)[1:3]
        embeddings = ops.convert_to_tensor(self.embeddings)
        if tuple(grid.shape[1:3]) != (self.height, self.width):
            down, across = (
                _cubic_weights(size, made_for, embeddings.dtype)
                for size, made_for in ((rows, self.height), (columns, self.width))
            )
            embeddings = ops.einsum("hi,wj,ijd->hwd", down, across, embeddings)
        return grid + ops.cast(embeddings, grid.dtype)

    def compute_output_shape(self, input_shape):
        """As the input's."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "height": self.height, "width": self.width}


def _cubic_weights(size, made_for, dtype):
    """Matrix `(size, made_for)` that resizes one axis, pixels' centers aligned, edges repeated."""
    scale = made_for / ops.cast(size, dtype)
    at = (ops.cast(ops.arange(size), dtype) + 0.5) * scale - 0.5
    below = ops.floor(at)
    cells = ops.cast(ops.arange(made_for), dtype)
    weights = 0.0
    for tap in (-1, 0, 1, 2):
        cell = ops.clip(below + tap, 0, made_for - 1)
        near = ops.cast(ops.equal(cell[:, None], cells[None, :]), dtype)
        weights = weights + near * _cubic(at - below - tap)[:, None]
    return weights


def _cubic(distance):
    """Keys' kernel of a distance in -2..2."""
    x, a = ops.abs(distance), SHARPNESS
    inner = (a + 2) * x**3 - (a + 3) * x**2 + 1
    outer = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return ops.where(x <= 1, inner, outer)
