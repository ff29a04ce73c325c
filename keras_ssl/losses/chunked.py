"""Computation of similarity matrices in chunks of rows, to save memory."""

import itertools
from collections.abc import Callable, Sequence

import keras
from keras import ops

from keras_ssl._types import Tensor


def map_row_chunks(
    function: Callable, num_chunks: int, rows: Sequence[Tensor], *shared: Tensor
) -> list:
    """Applies a function to the rows of tensors, one chunk of rows at a time.

    Contrastive losses compare each of N rows with M others. At large batch sizes, their memory is
    dominated by the similarity matrix `(N, M)`. With more than one chunk, only `N / num_chunks`
    rows of the matrix are stored at a time: each chunk is reduced to one number per row, its
    similarities are discarded, and the backward pass computes them again (`keras.remat`). This
    takes about 1.5 times the computation. Values and gradients are the same, up to rounding.

    Choose more than one chunk if the loss runs out of memory. If the encoder does, use
    `compile(optimizer, microbatches=...)` instead (gradient caching, Gao et al. 2021,
    https://arxiv.org/abs/2101.06983), or both.

        def log_sums(rows, z):
            return ops.logsumexp(ops.matmul(rows, ops.transpose(z)), axis=1)

        log_sum = ops.concatenate(map_row_chunks(log_sums, 8, (z,), z))

    Args:
        function: Function of a chunk of each tensor in `rows`, and of `shared`, that returns a
            tensor or a tuple of tensors. Gradients reach its arguments only: a tensor that needs a
            gradient must be an argument, not a variable of the enclosing scope.
        num_chunks: Int >= 1. With 1, nothing is recomputed.
        rows: Tuple of tensors with the same number of rows N, which are split into chunks. The
            last chunk may be smaller.
        *shared: Tensors that each call receives without a split.

    Returns:
        List of the outputs of `function`, one for each chunk, in the order of the rows.

    Source:
        Chen et al. 2016, https://arxiv.org/abs/1604.06174 (recomputation in the backward pass);
        Cheng et al. 2024, https://arxiv.org/abs/2410.17243 (similarity matrices in tiles).
    """
    num_rows = rows[0].shape[0]
    if num_chunks == 1 or num_rows == 1:
        return [function(*rows, *shared)]
    recomputed = keras.remat(function)
    if num_rows is None:
        num_rows = ops.shape(rows[0])[0]
        bounds = [index * num_rows // num_chunks for index in range(num_chunks + 1)]
        return [
            recomputed(*(x[start:end] for x in rows), *shared)
            for start, end in itertools.pairwise(bounds)
        ]
    size = -(-num_rows // num_chunks)
    num_full = num_rows // size
    chunks = [ops.reshape(x[: num_full * size], (num_full, size, *x.shape[1:])) for x in rows]
    # A loop runs one chunk after the other; unrolled, TensorFlow computes several at once.
    stacked = ops.map(lambda chunk: recomputed(*chunk, *shared), chunks)
    outputs = [_select(stacked, index) for index in range(num_full)]
    if num_rows > num_full * size:
        outputs.append(recomputed(*(x[num_full * size :] for x in rows), *shared))
    return outputs


def _select(stacked, index):
    return keras.tree.map_structure(lambda x: x[index], stacked)
