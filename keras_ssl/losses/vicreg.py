"""The loss of VICReg: variance, invariance, covariance."""

from keras import ops

from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_non_negative, check_same_shape

EPSILON = 1e-4


def vicreg(z1, z2, invariance=25.0, variance=25.0, covariance=1.0):
    """Keeps views together, each dimension spread out, and dimensions uncorrelated.

    Args:
        z1: Float tensor `(B, D)`, projections of view 1. Not normalized; `B >= 2`.
        z2: Float tensor `(B, D)`, projections of view 2, same order.
        invariance: Float >= 0, weight of the mean squared distance of the views.
        variance: Float >= 0, weight of the hinge that keeps standard deviations at 1 or more.
        covariance: Float >= 0, weight of the squared covariances between dimensions.

    Returns:
        Scalar, float32 (float64 for float64 input). 0 when views agree, every dimension has a
        standard deviation of 1 or more and none covaries; about `variance` when all rows are equal.

    Raises:
        ValueError: If the shapes differ or are not `(B, D)`, or a weight is below 0.

    Source:
        Bardes et al. 2021, https://arxiv.org/abs/2105.04906, equation 6, with the factors of the
        authors' code: the hinge is halved over the two views, the covariances are not.
    """
    check_non_negative(invariance=invariance, variance=variance, covariance=covariance)
    terms = vicreg_terms(z1, z2)
    return (
        invariance * terms["invariance"]
        + variance * terms["variance"]
        + covariance * terms["covariance"]
    )


def vicreg_terms(z1, z2):
    """The three terms of `vicreg`, unweighted.

    Args:
        z1: As in `vicreg`.
        z2: Likewise.

    Returns:
        Dict of scalars `"invariance"`, `"variance"` and `"covariance"`.

    Raises:
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Bardes et al. 2021, equations 1 to 5.
    """
    z1, z2 = as_float(z1, "z1"), as_float(z2, "z2")
    check_same_shape(z1=z1, z2=z2)
    c1, c2 = z1 - mean(z1, axis=0), z2 - mean(z2, axis=0)
    return {
        "invariance": mean(ops.square(z1 - z2)),
        "variance": (_hinge(c1) + _hinge(c2)) / 2.0,
        "covariance": _off_diagonal(c1) + _off_diagonal(c2),
    }


def _hinge(centered):
    """Mean over dimensions of how much the standard deviation falls short of 1."""
    variance = ops.sum(ops.square(centered), axis=0) / _degrees_of_freedom(centered)
    return mean(ops.relu(1.0 - ops.sqrt(variance + EPSILON)))


def _off_diagonal(centered):
    """Sum of squared covariances of different dimensions, over the number of dimensions."""
    dim = centered.shape[1]
    covariance = ops.matmul(ops.transpose(centered), centered) / _degrees_of_freedom(centered)
    return ops.sum(ops.square(covariance * (1.0 - ops.eye(dim, dtype=centered.dtype)))) / dim


def _degrees_of_freedom(centered):
    """B - 1; 1 where an evaluation's last batch holds a single image."""
    return ops.cast(ops.maximum(ops.shape(centered)[0] - 1, 1), centered.dtype)
