"""The loss of NNCLR."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_int, check_positive, check_same_shape


def nnclr(
    nearest: Tensor, predicted: Tensor, temperature: float | Tensor = 0.1, num_chunks: int = 1
) -> Tensor:
    """NNCLR loss: contrast of nearest neighbors with predictions.

    Row i of `nearest` is the nearest neighbor, among past projections, of one view of image i. Its
    positive is the prediction for the other view of image i; the other predictions of the batch are
    its negatives. Both inputs are normalized here.

    Args:
        nearest: Float tensor `(B, D)`, nearest neighbors. No gradient reaches them.
        predicted: Float tensor `(B, D)`, predictions, in the same order.
        temperature: Float > 0. A smaller temperature gives more weight to the hardest negatives.
        num_chunks: Int >= 1. Number of chunks in which the similarity matrix is computed, to save
            memory. Same value; see `losses.chunked`.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input). `log(B)` if all rows are equal.

    Raises:
        TypeError: If an argument is of the wrong kind.
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

    log_sum = ops.concatenate(map_row_chunks(log_sums, num_chunks, (nearest,), predicted))
    positive = ops.sum(nearest * predicted, axis=1) / temperature
    return mean(log_sum - positive)
