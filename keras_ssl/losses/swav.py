"""The losses of SwAV: assignments to prototypes, and their prediction."""

from keras import ops

from keras_ssl.numerics import as_float, cross_entropy
from keras_ssl.validation import (
    check_int,
    check_not_empty,
    check_positive,
    check_same_shape,
    check_shape,
)


def sinkhorn(scores, epsilon=0.05, iterations=3, weights=None):
    """Assigns rows to prototypes so that all prototypes are used alike.

    In turn, the assignments are scaled to equal sums over each prototype and to equal sums over
    each row. Computed with logarithms: no score is too large.

    Args:
        scores: Float tensor `(B, K)`, similarities of rows to prototypes. No gradient reaches them.
        epsilon: Float > 0; smaller is nearer to one prototype a row.
        iterations: Int >= 1.
        weights: Tensor `(B,)` of 1 for rows that are to be shared out and 0 for those that have no
            part in it, whose own assignments mean nothing; None for all.

    Returns:
        `(B, K)`, float32 (float64 for float64 input), in 0..1; rows sum to 1.

    Raises:
        ValueError: If `scores` is not `(B, K)`, `epsilon` not above 0 or `iterations` below 1.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, algorithm 1; Cuturi 2013,
        https://arxiv.org/abs/1306.0895.
    """
    scores = ops.stop_gradient(as_float(scores, "scores"))
    if len(scores.shape) != 2:
        raise ValueError(f"`scores` must have shape (B, K), received {tuple(scores.shape)}.")
    check_positive(epsilon=epsilon)
    check_int(1, iterations=iterations)
    check_not_empty(scores=scores)
    out = 0.0
    if weights is not None:
        weights = as_float(weights, "weights")
        check_shape(scores.shape[:1], weights=weights)
        out = -1e9 * (1.0 - ops.cast(weights, scores.dtype))[:, None]

    log = scores / epsilon
    for _ in range(iterations):
        log = log - ops.logsumexp(log + out, axis=0, keepdims=True)
        log = log - ops.logsumexp(log, axis=1, keepdims=True)
    return ops.exp(log)


def swav(scores, assignments, temperature=0.1):
    """Cross-entropy of predicting, from one view's scores, the assignments of another view.

    Args:
        scores: Float tensor `(B, K)`, similarities to prototypes.
        assignments: Float tensor `(B, K)`, rows sum to 1; no gradient reaches them.
        temperature: Float > 0.

    Returns:
        Scalar, float32 (float64 for float64 input); at the start about log(K).

    Raises:
        ValueError: If the shapes differ or are not `(B, K)`, or `temperature` is not above 0.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, equation 2.
    """
    scores, assignments = (
        as_float(scores, "scores"),
        ops.stop_gradient(as_float(assignments, "assignments")),
    )
    check_same_shape(scores=scores, assignments=assignments)
    check_positive(temperature=temperature)
    return cross_entropy(scores / temperature, assignments)
