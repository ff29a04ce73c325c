"""The loss of VICReg."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_non_negative, check_same_shape

EPSILON = 1e-4  # added to variances, as in the paper


def vicreg(
    z1: Tensor,
    z2: Tensor,
    invariance: float | Tensor = 25.0,
    variance: float | Tensor = 25.0,
    covariance: float | Tensor = 1.0,
) -> Tensor:
    """VICReg loss: invariance to views, with variance and covariance regularization.

    It is the weighted sum of three terms: the squared distance of the views, a hinge that keeps the
    standard deviation of each dimension at 1 or more, and the squared covariances of different
    dimensions.

    Args:
        z1: Float tensor `(B, D)`, projections of view 1, B >= 2. Do not normalize their rows.
        z2: Float tensor `(B, D)`, projections of view 2, in the same order.
        invariance: Float >= 0, weight of the mean squared distance.
        variance: Float >= 0, weight of the hinge on standard deviations.
        covariance: Float >= 0, weight of the covariances.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input). `0.99 * variance` if all rows are equal;
        0 if the views agree, the standard deviations are 1 or more and the dimensions are
        uncorrelated.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes differ or are not `(B, D)`, or a weight is below 0.

    Source:
        Bardes et al. 2021, https://arxiv.org/abs/2105.04906, equation 6, with the factors of the
        authors' code: the hinge is the mean over both views, the covariance term is the sum.
    """
    check_non_negative(invariance=invariance, variance=variance, covariance=covariance)
    terms = vicreg_terms(z1, z2)
    return (
        invariance * terms["invariance"]
        + variance * terms["variance"]
        + covariance * terms["covariance"]
    )


def vicreg_terms(z1: Tensor, z2: Tensor) -> dict[str, Tensor]:
    """Returns the three terms of `vicreg`, unweighted.

    Args:
        z1: Float tensor `(B, D)`, see `vicreg`.
        z2: Float tensor `(B, D)`, see `vicreg`.

    Returns:
        Dict of the scalars `"invariance"`, `"variance"` and `"covariance"`. If all rows are equal,
        they are 0, 0.99 and 0.

    Raises:
        TypeError: If an argument is not a tensor of numbers.
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Bardes et al. 2021, https://arxiv.org/abs/2105.04906, equations 1 to 5.
    """
    z1, z2 = as_float(z1, "z1"), as_float(z2, "z2")
    check_same_shape(z1=z1, z2=z2)
    centered1, centered2 = z1 - mean(z1, axis=0), z2 - mean(z2, axis=0)
    return {
        "invariance": mean(ops.square(z1 - z2)),
        "variance": (_variance_hinge(centered1) + _variance_hinge(centered2)) / 2.0,
        "covariance": _squared_covariance(centered1) + _squared_covariance(centered2),
    }


def _variance_hinge(centered):
    """Returns the mean over dimensions of `max(0, 1 - standard deviation)`."""
    variance = ops.sum(ops.square(centered), axis=0) / _degrees_of_freedom(centered)
    return mean(ops.relu(1.0 - ops.sqrt(variance + EPSILON)))


def _squared_covariance(centered):
    """Returns the sum of squared off-diagonal covariances, divided by the number of dimensions."""
    dim = centered.shape[1]
    covariance = ops.matmul(ops.transpose(centered), centered) / _degrees_of_freedom(centered)
    return ops.sum(ops.square(covariance * (1.0 - ops.eye(dim, dtype=centered.dtype)))) / dim


def _degrees_of_freedom(centered):
    """Returns B - 1, or 1 if the last batch of an evaluation has a single image."""
    return ops.cast(ops.maximum(ops.shape(centered)[0] - 1, 1), centered.dtype)
