"""The loss of masked autoencoders."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float
from keras_ssl.validation import check_bool, check_not_empty

EPSILON = 1e-6  # added to variances, as in the authors' code


def mae(predicted: Tensor, patches: Tensor, mask: Tensor, normalize: bool = True) -> Tensor:
    """MAE loss: mean squared error of the pixels of masked patches.

    Not to be confused with the mean absolute error, `keras.losses.mae`.

    Args:
        predicted: Float tensor `(B, N, P)`, the decoder's P pixel values for each of N patches.
        patches: Float tensor `(B, N, P)`, the pixel values of the image. No gradient reaches them.
        mask: Bool or float tensor `(B, N)`, 1 for masked patches, which the encoder does not see.
        normalize: Bool, whether to standardize each patch of the image (subtract its mean and
            divide by its standard deviation). The features are usually better with it.

    Returns:
        Scalar >= 0, the mean over the pixels of all masked patches of the batch, float32 (float64
        for float64 input). 0 if no patch is masked. With `normalize`, `(P - 1) / P` if all
        predictions are 0.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes are not as described.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, section 3, with the unbiased variance of
        the authors' code.
    """
    check_bool(normalize=normalize)
    predicted = as_float(predicted, "predicted")
    patches = ops.stop_gradient(as_float(patches, "patches"))
    mask = ops.cast(as_float(mask, "mask"), predicted.dtype)
    _check_shapes(predicted, patches, mask)
    num_pixels = patches.shape[-1]
    if normalize:
        centered = patches - ops.sum(patches, axis=-1, keepdims=True) / num_pixels
        variance = ops.sum(ops.square(centered), axis=-1, keepdims=True) / max(num_pixels - 1, 1)
        patches = centered * ops.rsqrt(variance + EPSILON)
    patch_errors = ops.sum(ops.square(predicted - patches), axis=-1) / num_pixels
    return ops.sum(mask * patch_errors) / ops.maximum(ops.sum(mask), 1.0)


def _check_shapes(predicted, patches, mask):
    shapes = [tuple(x.shape) for x in (predicted, patches, mask)]
    if len(shapes[0]) != 3 or shapes[1] != shapes[0] or shapes[2] != shapes[0][:2]:
        raise ValueError(
            "`predicted` and `patches` must have shape (batch, patches, pixels) and `mask` shape "
            f"(batch, patches), received {shapes[0]}, {shapes[1]} and {shapes[2]}."
        )
    check_not_empty(predicted=predicted)
