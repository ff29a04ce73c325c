"""Cosine losses between predictions and targets: SimSiam and BYOL."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_same_shape


def negative_cosine(p: Tensor, z: Tensor) -> Tensor:
    """SimSiam loss: negative mean cosine similarity of predictions and targets.

        loss = 0.5 * (negative_cosine(p1, z2) + negative_cosine(p2, z1))

    Args:
        p: Float tensor `(B, D)`, predictions. They are normalized here.
        z: Float tensor `(B, D)`, targets, in the same order. No gradient reaches them.

    Returns:
        Scalar in -1..1, float32 (float64 for float64 input). -1 if predictions and targets agree,
        also if all rows are equal: the predictor and the stopped gradient prevent collapse, not
        this loss.

    Raises:
        TypeError: If an argument is not a tensor of numbers.
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Chen and He 2020, https://arxiv.org/abs/2011.10566, equation 1.
    """
    p, z = as_float(p, "p"), ops.stop_gradient(as_float(z, "z"))
    check_same_shape(p=p, z=z)
    return -mean(ops.sum(l2_normalize(p) * l2_normalize(z), axis=1))


def byol(p: Tensor, z: Tensor) -> Tensor:
    """BYOL loss: mean squared distance of normalized predictions and targets, `2 - 2 * cosine`.

    Args:
        p: Float tensor `(B, D)`, predictions. They are normalized here.
        z: Float tensor `(B, D)`, targets, in the same order. No gradient reaches them.

    Returns:
        Scalar in 0..4, float32 (float64 for float64 input). 0 if predictions and targets agree,
        also if all rows are equal: the predictor and the momentum encoder prevent collapse, not
        this loss.

    Raises:
        TypeError: If an argument is not a tensor of numbers.
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Grill et al. 2020, https://arxiv.org/abs/2006.07733, equation 2.
    """
    return 2.0 + 2.0 * negative_cosine(p, z)
