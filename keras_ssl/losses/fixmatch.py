"""The loss of FixMatch, and the cross-entropy with weighted rows that its successors share."""

from keras import ops

from keras_ssl.numerics import as_float, mean, one_hot
from keras_ssl.validation import check_same_shape, check_shape, check_threshold


def fixmatch(weak_logits, strong_logits, threshold=0.95):
    """Cross-entropy of the strong view with what the weak view shows with confidence.

    The class that is likeliest by the weak view is the pseudo-label of an image where its
    probability reaches the threshold; other images count as zero, in a mean over all.

    Args:
        weak_logits: Float tensor `(B, K)`; no gradient reaches them.
        strong_logits: Float tensor `(B, K)`, of the same images.
        threshold: Float, or tensor `(B,)` with one for each image. 0 and less accepts all images,
            more than 1 none.

    Returns:
        Pair `(loss, mask)`: a scalar, and `(B,)` of 1 for each image that counts and 0 else; both
        float32 (float64 for float64 input).

    Raises:
        ValueError: If the shapes differ or are not `(B, K)`.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, equation 4.
    """
    weak, strong = (
        ops.stop_gradient(as_float(weak_logits, "weak_logits")),
        as_float(strong_logits, "strong_logits"),
    )
    check_same_shape(weak_logits=weak, strong_logits=strong)
    check_threshold(threshold, weak)
    confidence = ops.max(ops.softmax(weak, axis=1), axis=1)
    mask = ops.cast(confidence >= ops.convert_to_tensor(threshold, weak.dtype), weak.dtype)
    return weighted_cross_entropy(strong, one_hot(ops.argmax(weak, axis=1), strong), mask), mask


def weighted_cross_entropy(logits, targets, weights):
    """Mean over all rows of `-weights * sum(targets * log_softmax(logits))`.

    Args:
        logits: Float tensor `(B, K)`.
        targets: Float tensor `(B, K)`, rows sum to 1; no gradient reaches them.
        weights: Float tensor `(B,)`; none reaches them either.

    Returns:
        Scalar, float32 (float64 for float64 input). Rows of weight 0 count as zero.

    Raises:
        ValueError: If the shapes of `logits` and `targets` differ or are not `(B, K)`.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, equation 4, with weights for the mask.
    """
    logits = as_float(logits, "logits")
    targets = ops.stop_gradient(as_float(targets, "targets"))
    weights = ops.stop_gradient(as_float(weights, "weights"))
    check_same_shape(logits=logits, targets=targets)
    check_shape(logits.shape[:1], weights=weights)
    return mean(-weights * ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1))
