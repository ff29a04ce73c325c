"""NT-Xent, the loss of SimCLR."""

from keras import ops

from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_int, check_positive, check_same_shape


def nt_xent(z1, z2, temperature=0.5, num_chunks=1):
    """Normalized, temperature-scaled cross-entropy of one batch of paired projections.

    Both views are stacked to 2B rows. Each row's cosine similarities to the other 2B - 1 rows,
    divided by `temperature`, are the logits of a classification whose right answer is the other
    view of the same image; the loss is the mean cross-entropy over all 2B rows.

    Args:
        z1: Float tensor `(B, D)`, projections of view 1. Need not be normalized.
        z2: Float tensor `(B, D)`, projections of view 2, same order.
        temperature: Float > 0. Smaller attends more to the hardest negatives.
        num_chunks: Int >= 1. With more than one the similarities of a part of the rows at a time are
            computed, and again for the gradient: memory for that part, where 1 keeps all, for half
            as much computing again. The value is the same.

    Returns:
        Scalar, float32 (float64 for float64 input). `log(2B - 1)` when all rows are equal; 0 is
        reached only in the limit of perfect contrast.

    Raises:
        TypeError: If `num_chunks` is not an int.
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
    numbers = ops.arange(ops.shape(z)[0])

    def log_sums(rows, of_rows, z):
        similarity = ops.matmul(rows, ops.transpose(z)) / temperature
        itself = of_rows[:, None] == numbers
        return ops.logsumexp(ops.where(itself, -float("inf"), similarity), axis=1)

    log_sum = ops.concatenate(map_row_chunks(log_sums, num_chunks, (z, numbers), z))
    positive = ops.sum(z * ops.roll(z, ops.shape(z)[0] // 2, axis=0), axis=1) / temperature
    return mean(log_sum - positive)
