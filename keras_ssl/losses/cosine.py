"""Cosine losses between a prediction and its target: SimSiam and BYOL."""

from keras import ops

from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_same_shape


def negative_cosine(p, z):
    """Minus the mean cosine similarity of predictions and targets.

    Args:
        p: Float tensor `(B, D)`, predictions. Need not be normalized.
        z: Float tensor `(B, D)`, targets, same order; no gradient reaches them.

    Returns:
        Scalar in -1..1, float32 (float64 for float64 input); -1 where all agree.

    Raises:
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Chen and He 2020, https://arxiv.org/abs/2011.10566, equation 1.
    """
    p, z = as_float(p, "p"), ops.stop_gradient(as_float(z, "z"))
    check_same_shape(p=p, z=z)
    return -mean(ops.sum(l2_normalize(p) * l2_normalize(z), axis=1))


def byol(p, z):
    """Mean squared distance of normalized predictions and targets: `2 - 2 cos`.

    Args:
        p: Float tensor `(B, D)`, predictions. Need not be normalized.
        z: Float tensor `(B, D)`, targets, same order; no gradient reaches them.

    Returns:
        Scalar in 0..4, float32 (float64 for float64 input); 0 where all agree.

    Raises:
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Grill et al. 2020, https://arxiv.org/abs/2006.07733, equation 2.
    """
    return 2.0 + 2.0 * negative_cosine(p, z)
