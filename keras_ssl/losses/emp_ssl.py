"""The losses of EMP-SSL."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_non_negative, check_not_empty, check_positive


def total_coding_rate(z: Tensor, epsilon: float | Tensor = 0.2) -> Tensor:
    """Total coding rate: measures how far rows spread, `1/2 logdet(I + D / (B epsilon) z.T z)`.

    A higher rate means more spread, so a loss contains it with a minus sign.

    Args:
        z: Float tensor `(B, D)` or `(..., B, D)`. Rows have length 1 in the paper. At a length of
            1,000, equal rows exceed the precision of float32.
        epsilon: Float > 0, the distortion up to which rows count as different.

    Returns:
        Scalar, or tensor of the shape of the leading axes, float32 (float64 for float64 input).
        `log(1 + D / epsilon) / 2` if all rows are equal and of length 1; 0 if they are zero.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If `z` is not `(..., B, D)`, or `epsilon` is not above 0.

    Source:
        Tong et al. 2023, https://arxiv.org/abs/2304.03977, equation 2, with the factor of the
        authors' code, where `epsilon` is not squared.
    """
    z = as_float(z, "z")
    if len(z.shape) < 2:
        raise ValueError(f"`z` must have shape (..., B, D), received {tuple(z.shape)}.")
    check_not_empty(z=z)
    check_positive(epsilon=epsilon)
    batch_size, dim = ops.shape(z)[-2], z.shape[-1]
    scale = dim / (ops.cast(batch_size, z.dtype) * epsilon)
    # z.T z and z z.T give the same determinant; the smaller matrix is cheaper.
    is_wide = z.shape[-2] is not None and z.shape[-2] < dim
    product = ops.einsum("...id,...jd->...ij" if is_wide else "...bi,...bj->...ij", z, z)
    identity = ops.eye(batch_size if is_wide else dim, dtype=z.dtype)
    return 0.5 * ops.logdet(identity + scale * product)


def emp_ssl(z: Tensor, invariance: float | Tensor = 200.0, epsilon: float | Tensor = 0.2) -> Tensor:
    """EMP-SSL loss: total coding rate of each view, and similarity of views to their mean.

    It spreads the images of a batch apart and draws the patches (views) of an image to their mean.

    Args:
        z: Float tensor `(V, B, D)`, projections of V patches of each image. They are normalized
            here.
        invariance: Float >= 0, weight of the similarity.
        epsilon: Float > 0, see `total_coding_rate`.

    Returns:
        Scalar <= 0, float32 (float64 for float64 input): minus the mean coding rate of the views,
        minus `invariance` times the mean cosine similarity of patches to their mean.
        `-log(1 + D / epsilon) / 2 - invariance` if all rows are equal; lower if the images are
        spread and the patches agree.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If `z` is not `(V, B, D)`, `invariance` is below 0, or `epsilon` is not above 0.

    Source:
        Tong et al. 2023, https://arxiv.org/abs/2304.03977, equation 3.
    """
    check_non_negative(invariance=invariance)
    terms = emp_ssl_terms(z, epsilon)
    return -terms["coding_rate"] - invariance * terms["similarity"]


def emp_ssl_terms(z: Tensor, epsilon: float | Tensor = 0.2) -> dict[str, Tensor]:
    """Returns the two terms of `emp_ssl`, unweighted. Higher is better for both.

    Args:
        z: Float tensor `(V, B, D)`, see `emp_ssl`.
        epsilon: Float > 0, see `total_coding_rate`.

    Returns:
        Dict of the scalars `"coding_rate"` and `"similarity"`. If all rows are equal, they are
        `log(1 + D / epsilon) / 2` and 1.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If `z` is not `(V, B, D)`, or `epsilon` is not above 0.

    Source:
        Tong et al. 2023, https://arxiv.org/abs/2304.03977, equation 3.
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
