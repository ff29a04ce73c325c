"""The loss of SimCLR."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_int, check_positive, check_same_shape


def nt_xent(
    z1: Tensor, z2: Tensor, temperature: float | Tensor = 0.5, num_chunks: int = 1
) -> Tensor:
    """SimCLR loss: normalized, temperature-scaled cross-entropy of pairs of views (NT-Xent).

    Both views are stacked to 2B rows. The positive of a row is the other view of the same image;
    the other 2B - 2 rows are its negatives. The loss is the cross-entropy of finding the positive
    among the 2B - 1 other rows by cosine similarity, divided by `temperature`, as the mean over all
    2B rows.

        loss = keras_ssl.losses.nt_xent(z1, z2, temperature=0.5)

    Args:
        z1: Float tensor `(B, D)`, projections of view 1. They are normalized here.
        z2: Float tensor `(B, D)`, projections of view 2, in the same order.
        temperature: Float > 0. A smaller temperature gives more weight to the hardest negatives.
        num_chunks: Int >= 1. Number of chunks in which the similarity matrix is computed, to save
            memory. Same value; see `losses.chunked`.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input). `log(2B - 1)` if all rows are equal. It
        approaches 0 only for perfect contrast at a low temperature.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes differ or are not `(B, D)`, `temperature` is not above 0, or
            `num_chunks` is below 1.

    Source:
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, equation 1 and algorithm 1.
    """
    z1, z2 = as_float(z1, "z1"), as_float(z2, "z2")
    check_same_shape(z1=z1, z2=z2)
    check_positive(temperature=temperature)
    check_int(1, num_chunks=num_chunks)

    z = l2_normalize(ops.concatenate([z1, z2], axis=0))
    indices = ops.arange(ops.shape(z)[0])

    def log_sums(rows, row_indices, z):
        similarity = ops.matmul(rows, ops.transpose(z)) / temperature
        is_self = row_indices[:, None] == indices
        return ops.logsumexp(ops.where(is_self, -float("inf"), similarity), axis=1)

    log_sum = ops.concatenate(map_row_chunks(log_sums, num_chunks, (z, indices), z))
    positive = ops.sum(z * ops.roll(z, ops.shape(z)[0] // 2, axis=0), axis=1) / temperature
    return mean(log_sum - positive)
