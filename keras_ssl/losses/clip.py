"""The loss of CLIP."""

from keras import ops

from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_int, check_positive, check_same_shape


def clip(image, text, scale, num_chunks=1):
    """Contrast of images with their captions, both ways, over the whole batch.

    Args:
        image: Float tensor `(B, D)`, projections of images. Both are normalized here.
        text: Float tensor `(B, D)`, projections of the captions, same order.
        scale: Float > 0 or scalar tensor, what cosine similarities are multiplied with: the inverse
            of the temperature.
        num_chunks: Int >= 1. With more than one the similarities of a part of the images at a time are
            computed, and again for the gradient: memory for `B * B / num_chunks` of them, where 1
            keeps all `B * B`, for half as much computing again. The value is the same.

    Returns:
        Scalar >= 0, the mean of both directions and over rows, float32 (float64 for float64 input);
        log B for a batch without information.

    Raises:
        TypeError: If `num_chunks` is not an int.
        ValueError: If the shapes differ or are not `(B, D)`, or `num_chunks` is below 1.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, figure 3.
    """
    image, text = as_float(image, "image"), as_float(text, "text")
    check_same_shape(image=image, text=text)
    check_positive(scale=scale)
    check_int(1, num_chunks=num_chunks)
    image = l2_normalize(image) * ops.convert_to_tensor(scale, image.dtype)
    text = l2_normalize(text)
    own = ops.sum(image * text, axis=1)

    def log_sums(rows, text):
        """Log of the sum over captions, of each row, and over these rows, of each caption."""
        logits = ops.matmul(rows, ops.transpose(text))
        return ops.logsumexp(logits, axis=1), ops.logsumexp(logits, axis=0)

    of_images, of_texts = zip(*map_row_chunks(log_sums, num_chunks, (image,), text), strict=True)
    of_images = ops.concatenate(of_images)
    of_texts = ops.logsumexp(ops.stack(of_texts), axis=0)
    return 0.5 * (mean(of_images - own) + mean(of_texts - own))
