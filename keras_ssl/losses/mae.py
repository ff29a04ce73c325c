"""The loss of masked autoencoders."""

import numpy as np
from keras import ops

from keras_ssl.numerics import as_float

EPSILON = 1e-6


def mae(predicted, patches, mask, normalize=True):
    """Mean squared error of the masked patches' pixels.

    Args:
        predicted: Float tensor `(B, N, P)`, the decoder's P pixel values of each of N patches.
        patches: Float tensor `(B, N, P)`, the true ones; no gradient reaches them.
        mask: Bool or float tensor `(B, N)`, 1 for the patches that the encoder did not see.
        normalize: Bool, whether each true patch has its mean taken off and is divided by its
            standard deviation.

    Returns:
        Scalar >= 0, mean over pixels and over all masked patches of the batch, float32 (float64 for
        float64 input); 0 where none is masked.

    Raises:
        ValueError: If shapes do not fit.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, section 3; unbiased variance, as in the
        authors' code.
    """
    if not isinstance(normalize, (bool, np.bool_)):
        raise TypeError(f"`normalize` must be a bool, received {normalize!r}.")
    predicted = as_float(predicted, "predicted")
    mask = ops.cast(as_float(mask, "mask"), predicted.dtype)
    patches = ops.stop_gradient(as_float(patches, "patches"))
    shapes = [tuple(x.shape) for x in (predicted, patches, mask)]
    if len(shapes[0]) != 3 or shapes[1] != shapes[0] or shapes[2] != shapes[0][:2]:
        raise ValueError(
            "`predicted` and `patches` must be (batch, patches, pixels) and `mask` (batch, "
            f"patches), received {shapes[0]}, {shapes[1]} and {shapes[2]}."
        )
    if normalize:
        pixels = patches.shape[-1]
        centered = patches - ops.sum(patches, axis=-1, keepdims=True) / pixels
        variance = ops.sum(ops.square(centered), axis=-1, keepdims=True) / max(pixels - 1, 1)
        patches = centered * ops.rsqrt(variance + EPSILON)
    each = ops.sum(ops.square(predicted - patches), axis=-1) / patches.shape[-1]
    return ops.sum(mask * each) / ops.maximum(ops.sum(mask), 1.0)
