"""The losses of SwAV."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, cross_entropy
from keras_ssl.validation import (
    check_int,
    check_matrix,
    check_positive,
    check_same_shape,
    check_shape,
)

EXCLUDED = -1e9  # logit of rows without a weight; finite, so that all rows may be excluded


def sinkhorn(
    scores: Tensor,
    epsilon: float | Tensor = 0.05,
    iterations: int = 3,
    weights: Tensor | None = None,
) -> Tensor:
    """Assigns rows to prototypes so that all prototypes are used equally (Sinkhorn-Knopp).

    Each iteration scales the assignments to equal sums over each prototype, then to equal sums over
    each row. They are computed as logarithms, which do not overflow for large scores.

        assignments = keras_ssl.losses.sinkhorn(scores_of_view_1)
        loss = keras_ssl.losses.swav(scores_of_view_2, assignments)

    Args:
        scores: Float tensor `(B, K)`, similarities of rows to prototypes. No gradient reaches them.
        epsilon: Float > 0. A smaller value gives assignments closer to one prototype for each row.
        iterations: Int >= 1.
        weights: Tensor `(B,)`, 1 for the rows to assign and 0 for rows to ignore. The assignments
            of ignored rows are meaningless. None assigns all rows.

    Returns:
        Tensor `(B, K)` in 0..1, float32 (float64 for float64 input). Each row sums to 1. `1 / K`
        everywhere if all scores are equal.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If `scores` is not `(B, K)`, `weights` is not `(B,)`, `epsilon` is not above 0,
            or `iterations` is below 1.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, algorithm 1; Cuturi 2013,
        https://arxiv.org/abs/1306.0895.
    """
    scores = ops.stop_gradient(as_float(scores, "scores"))
    check_matrix(scores=scores)
    check_positive(epsilon=epsilon)
    check_int(1, iterations=iterations)
    offset = 0.0
    if weights is not None:
        weights = as_float(weights, "weights")
        check_shape(scores.shape[:1], weights=weights)
        offset = EXCLUDED * (1.0 - ops.cast(weights, scores.dtype))[:, None]

    log_assignments = scores / epsilon
    for _ in range(iterations):
        column_sum = ops.logsumexp(log_assignments + offset, axis=0, keepdims=True)
        log_assignments = log_assignments - column_sum
        row_sum = ops.logsumexp(log_assignments, axis=1, keepdims=True)
        log_assignments = log_assignments - row_sum
    return ops.exp(log_assignments)


def swav(scores: Tensor, assignments: Tensor, temperature: float | Tensor = 0.1) -> Tensor:
    """SwAV loss: cross-entropy of predicting the assignments of one view from another view.

    Args:
        scores: Float tensor `(B, K)`, similarities of one view to the prototypes.
        assignments: Float tensor `(B, K)`, assignments of another view, see `sinkhorn`. Each row
            sums to 1. No gradient reaches them.
        temperature: Float > 0. A smaller temperature gives sharper predictions.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input). `log(K)` if all scores are equal, which is
        about the value at the start of training.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes differ or are not `(B, K)`, or `temperature` is not above 0.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, equation 2.
    """
    scores = as_float(scores, "scores")
    assignments = ops.stop_gradient(as_float(assignments, "assignments"))
    check_same_shape(scores=scores, assignments=assignments)
    check_positive(temperature=temperature)
    return cross_entropy(scores / temperature, assignments)
