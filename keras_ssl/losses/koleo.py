"""The spreading term of DINOv2."""

from keras import ops

from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_same_shape

TINY = 1e-16  # added to squared distances: equal rows cost 18.4, with a finite gradient


def koleo(x):
    """Negative logarithm of the distance of each row, of length 1, to its nearest other row.

    Args:
        x: Float tensor `(B, D)`, features; B >= 2. They are normalized here.

    Returns:
        Scalar, mean over rows, float32 (float64 for float64 input); at least -log 2, and less the
        more evenly rows spread over the sphere.

    Raises:
        ValueError: If `x` is not `(B, D)`.

    Source:
        Sablayrolles et al. 2018, https://arxiv.org/abs/1806.03198, equation 2, as in Oquab et al.
        2023, https://arxiv.org/abs/2304.07193, section 4.
    """
    x = as_float(x, "x")
    check_same_shape(x=x)
    rows = l2_normalize(x)
    similarity = ops.stop_gradient(ops.matmul(rows, ops.transpose(rows)))
    similarity = similarity - 4.0 * ops.eye(ops.shape(x)[0], dtype=x.dtype)  # not itself
    nearest = ops.take(rows, ops.argmax(similarity, axis=1), axis=0)
    squared = ops.sum(ops.square(rows - nearest), axis=1)
    return mean(-0.5 * ops.log(squared + TINY))
