"""The loss of NNCLR: nearest neighbors as positives."""

from keras import ops

from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_int, check_positive, check_same_shape


def nnclr(nearest, predicted, temperature=0.1, num_chunks=1):
    """Cross-entropy of finding, from a neighbor, the prediction of its image in the batch.

    Row i of `nearest` is the nearest neighbor, among past projections, of one view of image i;
    its right answer is the prediction made from the other view of image i.

    Args:
        nearest: Float tensor `(B, D)`, neighbors; no gradient reaches them.
        predicted: Float tensor `(B, D)`, predictions, same order. Neither need be normalized.
        temperature: Float > 0.
        num_chunks: Int >= 1. With more than one the similarities of a part of the rows at a time are
            computed, and again for the gradient: memory for that part, where 1 keeps all, for half
            as much computing again. The value is the same.

    Returns:
        Scalar, float32 (float64 for float64 input). `log(B)` when all rows are equal.

    Raises:
        TypeError: If `num_chunks` is not an int.
        ValueError: If the shapes differ or are not `(B, D)`, `temperature` is not above 0, or
            `num_chunks` is below 1.

    Source:
        Dwibedi et al. 2021, https://arxiv.org/abs/2104.14548, equation 2 and algorithm 1.
    """
    nearest, predicted = as_float(nearest, "nearest"), as_float(predicted, "predicted")
    check_same_shape(nearest=nearest, predicted=predicted)
    check_positive(temperature=temperature)
    check_int(1, num_chunks=num_chunks)

    nearest, predicted = l2_normalize(ops.stop_gradient(nearest)), l2_normalize(predicted)

    def log_sums(rows, predicted):
        return ops.logsumexp(ops.matmul(rows, ops.transpose(predicted)) / temperature, axis=1)

    own = ops.sum(nearest * predicted, axis=1) / temperature
    return mean(ops.concatenate(map_row_chunks(log_sums, num_chunks, (nearest,), predicted)) - own)
