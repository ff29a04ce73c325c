"""The KoLeo regularizer of DINOv2."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_matrix

EPSILON = 1e-16  # added to squared distances: equal rows cost 18.4 and have a finite gradient


def koleo(x: Tensor) -> Tensor:
    """KoLeo regularizer: spreads features over the unit sphere.

    It is the negative logarithm of the distance of each normalized row to its nearest other row, as
    the mean over rows.

    Args:
        x: Float tensor `(B, D)`, features, B >= 2. They are normalized here.

    Returns:
        Scalar >= -log(2), float32 (float64 for float64 input). 18.4 if all rows are equal; smaller
        for rows that are spread more evenly.

    Raises:
        TypeError: If `x` is not a tensor of numbers.
        ValueError: If `x` is not `(B, D)`.

    Source:
        Sablayrolles et al. 2018, https://arxiv.org/abs/1806.03198, equation 2, as used by Oquab et
        al. 2023, https://arxiv.org/abs/2304.07193, section 4.
    """
    x = as_float(x, "x")
    check_matrix(x=x)
    rows = l2_normalize(x)
    similarity = ops.stop_gradient(ops.matmul(rows, ops.transpose(rows)))
    # A row is not its own neighbor: cosines are at most 1, so 4 less is never the maximum.
    similarity = similarity - 4.0 * ops.eye(ops.shape(x)[0], dtype=x.dtype)
    nearest = ops.take(rows, ops.argmax(similarity, axis=1), axis=0)
    squared_distance = ops.sum(ops.square(rows - nearest), axis=1)
    return mean(-0.5 * ops.log(squared_distance + EPSILON))
