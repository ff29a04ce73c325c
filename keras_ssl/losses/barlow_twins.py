"""The loss of Barlow Twins."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_non_negative, check_same_shape

EPSILON = 1e-5  # of the batch norm in the authors' code


def barlow_twins(z1: Tensor, z2: Tensor, redundancy_weight: float | Tensor = 0.0051) -> Tensor:
    """Barlow Twins loss: makes the cross-correlation matrix of two views the identity.

    `c[i, j]` is the correlation, over the batch, of dimension i of view 1 with dimension j of
    view 2. The loss is `sum_i (1 - c[i, i])**2 + redundancy_weight * sum_{i != j} c[i, j]**2`.

    Args:
        z1: Float tensor `(B, D)`, projections of view 1, B >= 2. Do not normalize their rows.
        z2: Float tensor `(B, D)`, projections of view 2, in the same order.
        redundancy_weight: Float >= 0, the paper's lambda.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input). It is a sum over dimensions and grows
        with D. D if all rows are equal; 0 if the views agree and their dimensions are
        uncorrelated.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes differ or are not `(B, D)`, or `redundancy_weight` is below 0.

    Source:
        Zbontar et al. 2021, https://arxiv.org/abs/2103.03230, algorithm 1, with the biased variance
        of the authors' code.
    """
    check_non_negative(redundancy_weight=redundancy_weight)
    terms = barlow_twins_terms(z1, z2)
    return terms["invariance"] + redundancy_weight * terms["redundancy"]


def barlow_twins_terms(z1: Tensor, z2: Tensor) -> dict[str, Tensor]:
    """Returns the two terms of `barlow_twins`, unweighted.

    Args:
        z1: Float tensor `(B, D)`, see `barlow_twins`.
        z2: Float tensor `(B, D)`, see `barlow_twins`.

    Returns:
        Dict of the scalars `"invariance"` (diagonal) and `"redundancy"` (off-diagonal). If all rows
        are equal, they are D and 0.

    Raises:
        TypeError: If an argument is not a tensor of numbers.
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Zbontar et al. 2021, https://arxiv.org/abs/2103.03230, equation 1.
    """
    z1, z2 = as_float(z1, "z1"), as_float(z2, "z2")
    check_same_shape(z1=z1, z2=z2)
    batch_size = ops.cast(ops.shape(z1)[0], z1.dtype)
    correlation = ops.matmul(ops.transpose(_standardize(z1)), _standardize(z2)) / batch_size
    diagonal = ops.diagonal(correlation)
    off_diagonal = correlation * (1.0 - ops.eye(correlation.shape[0], dtype=correlation.dtype))
    return {
        "invariance": ops.sum(ops.square(1.0 - diagonal)),
        "redundancy": ops.sum(ops.square(off_diagonal)),
    }


def _standardize(z):
    centered = z - mean(z, axis=0)
    return centered * ops.rsqrt(mean(ops.square(centered), axis=0) + EPSILON)
