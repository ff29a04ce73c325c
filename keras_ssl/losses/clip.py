"""The loss of CLIP."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_int, check_positive, check_same_shape


def clip(image: Tensor, text: Tensor, scale: float | Tensor, num_chunks: int = 1) -> Tensor:
    """CLIP loss: symmetric contrast of images with their captions.

    The logits are the cosine similarities of all images with all captions of the batch, times
    `scale`. The loss is the mean of two cross-entropies: of finding the caption of each image, and
    of finding the image of each caption. Both inputs are normalized here.

    Args:
        image: Float tensor `(B, D)`, projections of the images.
        text: Float tensor `(B, D)`, projections of the captions, in the same order.
        scale: Float > 0 or scalar tensor, the logit scale: the inverse of the temperature.
        num_chunks: Int >= 1. Number of chunks in which the similarity matrix is computed, to save
            memory. Same value; see `losses.chunked`.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input). `log(B)` if all rows are equal.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes differ or are not `(B, D)`, `scale` is not above 0, or
            `num_chunks` is below 1.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, figure 3.
    """
    image, text = as_float(image, "image"), as_float(text, "text")
    check_same_shape(image=image, text=text)
    check_positive(scale=scale)
    check_int(1, num_chunks=num_chunks)
    image = l2_normalize(image) * ops.convert_to_tensor(scale, image.dtype)
    text = l2_normalize(text)
    positive = ops.sum(image * text, axis=1)

    def log_sums(images, text):
        """Returns the log-sum-exp of each row (image) and of each column (caption)."""
        logits = ops.matmul(images, ops.transpose(text))
        return ops.logsumexp(logits, axis=1), ops.logsumexp(logits, axis=0)

    image_sums, text_sums = zip(*map_row_chunks(log_sums, num_chunks, (image,), text), strict=True)
    image_sum = ops.concatenate(image_sums)
    text_sum = ops.logsumexp(ops.stack(text_sums), axis=0)
    return 0.5 * (mean(image_sum - positive) + mean(text_sum - positive))
