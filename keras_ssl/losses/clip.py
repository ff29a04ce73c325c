"""The loss of CLIP."""

from keras import ops

from keras_ssl.losses.checks import as_float, check_pairs, cross_entropy, normalize


def clip(image, text, scale):
    """Contrast of images with their captions, both ways, over the whole batch.

    Args:
        image: Float tensor `(B, D)`, projections of images. Both are normalised here.
        text: Float tensor `(B, D)`, projections of the captions, same order.
        scale: Float > 0 or scalar tensor, what cosine similarities are multiplied with: the inverse
            of the temperature.

    Returns:
        Scalar >= 0, the mean of both directions and over rows, float32 (float64 for float64 input);
        log B for a batch without information.

    Raises:
        ValueError: If the shapes differ or are not `(B, D)`.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, figure 3.
    """
    image, text = as_float(image), as_float(text)
    check_pairs(image=image, text=text)
    logits = ops.matmul(normalize(image), ops.transpose(normalize(text)))
    logits = logits * ops.convert_to_tensor(scale, logits.dtype)
    pairs = ops.eye(ops.shape(image)[0], dtype=logits.dtype)
    return 0.5 * (cross_entropy(logits, pairs) + cross_entropy(ops.transpose(logits), pairs))
