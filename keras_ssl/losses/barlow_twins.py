"""The loss of Barlow Twins: redundancy reduction."""

from keras import ops

from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_non_negative, check_same_shape

EPSILON = 1e-5  # of the authors' batch norm


def barlow_twins(z1, z2, redundancy_weight=0.0051):
    """Redundancy-reduction loss of one batch of paired projections.

    `c[i, j]` is the correlation, over the batch, of dimension `i` of view 1 with dimension `j` of
    view 2. The loss is `sum_i (1 - c[i, i])**2 + redundancy_weight * sum_{i != j} c[i, j]**2`.

    Args:
        z1: Float tensor `(B, D)`, projections of view 1. Not normalized; `B >= 2`.
        z2: Float tensor `(B, D)`, projections of view 2, same order.
        redundancy_weight: Float >= 0, the paper's lambda.

    Returns:
        Scalar, float32 (float64 for float64 input), summed over dimensions: it grows with D. 0
        when the views agree and dimensions are decorrelated; D when all rows are equal.

    Raises:
        ValueError: If the shapes differ or are not `(B, D)`, or the weight is below 0.

    Source:
        Zbontar et al. 2021, https://arxiv.org/abs/2103.03230, algorithm 1; biased variance, as in
        the authors' code.
    """
    check_non_negative(redundancy_weight=redundancy_weight)
    terms = barlow_twins_terms(z1, z2)
    return terms["invariance"] + redundancy_weight * terms["redundancy"]


def barlow_twins_terms(z1, z2):
    """The two sums of `barlow_twins`, unweighted.

    Args:
        z1: As in `barlow_twins`.
        z2: Likewise.

    Returns:
        Dict of scalars `"invariance"` (diagonal) and `"redundancy"` (all else).

    Raises:
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Zbontar et al. 2021, equation 1.
    """
    z1, z2 = as_float(z1, "z1"), as_float(z2, "z2")
    check_same_shape(z1=z1, z2=z2)
    rows = ops.cast(ops.shape(z1)[0], z1.dtype)
    correlation = ops.matmul(ops.transpose(_standardize(z1)), _standardize(z2)) / rows
    diagonal = ops.diagonal(correlation)
    invariance = ops.sum(ops.square(1.0 - diagonal))
    off_diagonal = correlation * (1.0 - ops.eye(correlation.shape[0], dtype=correlation.dtype))
    return {"invariance": invariance, "redundancy": ops.sum(ops.square(off_diagonal))}


def _standardize(z):
    centered = z - mean(z, axis=0)
    return centered * ops.rsqrt(mean(ops.square(centered), axis=0) + EPSILON)
