"""The fairness term of FreeMatch."""

from keras import ops

from keras_ssl.numerics import as_float, one_hot
from keras_ssl.validation import check_same_shape, check_shape


def fairness(strong_logits, mask, expected, histogram):
    """Compares the mean prediction of strong views with the expected one, less their histograms.

    Both are divided by how often each class is the likeliest and made to sum to 1; a class that
    never is counts as 0. The term is the expected one times the logarithm of that of the batch,
    summed: the sign is that of the paper and of the authors' code, which add it to what is
    minimized.

    Args:
        strong_logits: Float tensor `(B, K)`.
        mask: Float tensor `(B,)`, 1 for images that count and 0 else.
        expected: Float tensor `(K,)`, running mean of the probabilities of weak views.
        histogram: Float tensor `(K,)`, running share of each class among their likeliest ones.

    Returns:
        Scalar <= 0, float32 (float64 for float64 input); 0 where no image counts.

    Raises:
        ValueError: If `strong_logits` is not `(B, K)`.

    Source:
        Wang et al. 2022, https://arxiv.org/abs/2205.07246, equations 10 to 13.
    """
    strong, mask = (
        as_float(strong_logits, "strong_logits"),
        ops.stop_gradient(as_float(mask, "mask")),
    )
    check_same_shape(strong_logits=strong)
    expected = ops.stop_gradient(as_float(expected, "expected"))
    histogram = ops.stop_gradient(as_float(histogram, "histogram"))
    if tuple(mask.shape) != tuple(strong.shape[:1]):
        raise ValueError(
            f"`mask` must have a number for each row of `strong_logits`, {tuple(strong.shape)}; "
            f"received shape {tuple(mask.shape)}."
        )
    check_shape(strong.shape[1:], expected=expected, histogram=histogram)
    probabilities = ops.softmax(strong, axis=1)
    count = ops.maximum(ops.sum(mask), 1.0)
    predicted = ops.sum(mask[:, None] * probabilities, axis=0) / count
    likeliest = one_hot(ops.argmax(strong, axis=1), strong)
    frequency = ops.sum(mask[:, None] * likeliest, axis=0) / count
    target, found = _balanced(expected, histogram), _balanced(predicted, frequency)
    return ops.sum(target * ops.log(found + 1e-12)) * ops.cast(ops.any(mask > 0), strong.dtype)


def _balanced(probabilities, frequency):
    """Divides by the frequency, where there is any, and scales the sum to 1."""
    scaled = ops.where(frequency > 0, probabilities / ops.maximum(frequency, 1e-12), 0.0)
    return scaled / ops.maximum(ops.sum(scaled), 1e-12)
