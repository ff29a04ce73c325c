"""The loss of NNCLR: nearest neighbours as positives."""

from keras import ops

from keras_ssl.losses.checks import (
    as_float,
    check_pairs,
    check_positive,
    cross_entropy,
    normalize,
)


def nnclr(nearest, predicted, temperature=0.1):
    """Cross-entropy of finding, from a neighbour, the prediction of its image in the batch.

    Row i of `nearest` is the nearest neighbour, among past projections, of one view of image i;
    its right answer is the prediction made from the other view of image i.

    Args:
        nearest: Float tensor `(B, D)`, neighbours; no gradient reaches them.
        predicted: Float tensor `(B, D)`, predictions, same order. Neither need be normalised.
        temperature: Float > 0.

    Returns:
        Scalar, float32 (float64 for float64 input). `log(B)` when all rows are equal.

    Raises:
        ValueError: If the shapes differ or are not `(B, D)`, or `temperature` is not above 0.

    Source:
        Dwibedi et al. 2021, https://arxiv.org/abs/2104.14548, equation 2 and algorithm 1.
    """
    nearest, predicted = as_float(nearest), as_float(predicted)
    check_pairs(nearest=nearest, predicted=predicted)
    check_positive(temperature=temperature)

    logits = normalize(ops.stop_gradient(nearest)) @ ops.transpose(normalize(predicted))
    return cross_entropy(logits / temperature, ops.eye(ops.shape(logits)[0], dtype=logits.dtype))
