"""The losses of EMP-SSL: coding rate, and agreement of patches with their mean."""

from keras import ops

from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_non_negative, check_not_empty, check_positive


def total_coding_rate(z, epsilon=0.2):
    """How much room rows take: `1/2 logdet(I + D / (B epsilon) z.T z)`.

    Args:
        z: Float tensor `(B, D)`; rows of length 1 in the paper (rows of length 1,000 that are all
            equal are beyond what float32 can tell). Or `(..., B, D)`.
        epsilon: Float > 0, the distortion up to which rows are told apart.

    Returns:
        Scalar, or the shape of the leading axes; float32 (float64 for float64 input). More is more
        spread, and better: a loss takes it with a minus sign. 0 for rows of zeros.

    Raises:
        ValueError: If `z` is not `(..., B, D)`, or `epsilon` is not above 0.

    Source:
        Tong et al. 2023, https://arxiv.org/abs/2304.03977, equation 2; the factor is the authors'
        code's, with `epsilon` not squared.
    """
    z = as_float(z, "z")
    if len(z.shape) < 2:
        raise ValueError(f"`z` must have shape (B, D), received {tuple(z.shape)}.")
    check_not_empty(z=z)
    check_positive(epsilon=epsilon)
    rows, dim = ops.shape(z)[-2], z.shape[-1]
    scale = dim / (ops.cast(rows, z.dtype) * epsilon)
    # Both products have the same determinant; the smaller matrix is cheaper.
    by_rows = z.shape[-2] is not None and z.shape[-2] < dim
    product = ops.einsum("...id,...jd->...ij" if by_rows else "...bi,...bj->...ij", z, z)
    identity = ops.eye(rows if by_rows else dim, dtype=z.dtype)
    return 0.5 * ops.logdet(identity + scale * product)


def emp_ssl(z, invariance=200.0, epsilon=0.2):
    """Spreads each patch's batch out and draws an image's patches to their mean.

    Args:
        z: Float tensor `(V, B, D)`, projections of V patches of each image. Need not be normalized.
        invariance: Float >= 0, weight of the agreement.
        epsilon: Float > 0, see `total_coding_rate`.

    Returns:
        Scalar, float32 (float64 for float64 input): minus the mean coding rate of the patches,
        minus `invariance` times the mean cosine similarity of patches and their mean. Below 0.

    Raises:
        ValueError: If `z` is not `(V, B, D)`, or a number is out of range.

    Source:
        Tong et al. 2023, https://arxiv.org/abs/2304.03977, equation 3.
    """
    check_non_negative(invariance=invariance)
    terms = emp_ssl_terms(z, epsilon)
    return -terms["coding_rate"] - invariance * terms["similarity"]


def emp_ssl_terms(z, epsilon=0.2):
    """The two terms of `emp_ssl`, unweighted; of both more is better.

    Args:
        z: As in `emp_ssl`.
        epsilon: Likewise.

    Returns:
        Dict of scalars `"coding_rate"` and `"similarity"`.

    Raises:
        ValueError: If `z` is not `(V, B, D)`, or `epsilon` is not above 0.

    Source:
        Tong et al. 2023, equation 3.
    """
    z = as_float(z, "z")
    if len(z.shape) != 3:
        raise ValueError(f"`z` must have shape (V, B, D), received {tuple(z.shape)}.")
    check_not_empty(z=z)
    z = l2_normalize(z)
    similarity = ops.sum(z * l2_normalize(mean(z, axis=0)), axis=-1)
    return {
        "coding_rate": mean(total_coding_rate(z, epsilon)),
        "similarity": mean(similarity),
    }
