"""The loss of FixMatch, and the weighted cross-entropy of the methods based on it."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, mean, one_hot
from keras_ssl.validation import check_same_shape, check_shape, check_threshold


def fixmatch(
    weak_logits: Tensor, strong_logits: Tensor, threshold: float | Tensor = 0.95
) -> tuple[Tensor, Tensor]:
    """FixMatch loss: cross-entropy of strong views with the pseudo-labels of weak views.

    The pseudo-label of an image is the most likely class of its weak view. It is used if the
    probability of this class reaches the confidence threshold; other images count as 0.

        loss, mask = keras_ssl.losses.fixmatch(weak_logits, strong_logits, threshold=0.95)
        mask_rate = ops.mean(mask)

    Args:
        weak_logits: Float tensor `(B, K)`. No gradient reaches them.
        strong_logits: Float tensor `(B, K)`, for strong views of the same images.
        threshold: Float, or tensor `(B,)` with a threshold for each image. At 0 or below all images
            are used, above 1 none.

    Returns:
        Pair `(loss, mask)`, both float32 (float64 for float64 input). `loss` is a scalar >= 0, the
        mean over all B images; `mask` is `(B,)`, 1 for each image that is used and 0 for the
        others. If all logits are equal, the loss is `log(K)` at a threshold of at most `1 / K`, and
        0 above.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes differ or are not `(B, K)`, or `threshold` has another shape.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, equation 4.
    """
    weak = ops.stop_gradient(as_float(weak_logits, "weak_logits"))
    strong = as_float(strong_logits, "strong_logits")
    check_same_shape(weak_logits=weak, strong_logits=strong)
    check_threshold(threshold, weak)
    mask = confidence_mask(weak, threshold)
    pseudo_labels = one_hot(ops.argmax(weak, axis=1), strong)
    return weighted_cross_entropy(strong, pseudo_labels, mask), mask


def confidence_mask(logits: Tensor, threshold: float | Tensor) -> Tensor:
    """Returns 1 for each row whose highest probability reaches the threshold, and 0 for the others.

    Args:
        logits: Float tensor `(B, K)`.
        threshold: Float, or tensor `(B,)`.

    Returns:
        Tensor `(B,)` of the dtype of `logits`.
    """
    confidence = ops.max(ops.softmax(logits, axis=1), axis=1)
    return ops.cast(confidence >= ops.convert_to_tensor(threshold, logits.dtype), logits.dtype)


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy with a weight for each row, as the mean over all rows.

    It is the mean of `-weights * sum(targets * log_softmax(logits))`. Rows of weight 0 count as 0.

    Args:
        logits: Float tensor `(B, K)`.
        targets: Float tensor `(B, K)`. Each row sums to 1. No gradient reaches them.
        weights: Float tensor `(B,)`. No gradient reaches them.

    Returns:
        Scalar, float32 (float64 for float64 input). `log(K)` times the mean weight if all logits
        are equal.

    Raises:
        TypeError: If an argument is not a tensor of numbers.
        ValueError: If `logits` and `targets` are not both `(B, K)`, or `weights` is not `(B,)`.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, equation 4, with weights in place of the
        mask.
    """
    logits = as_float(logits, "logits")
    targets = ops.stop_gradient(as_float(targets, "targets"))
    weights = ops.stop_gradient(as_float(weights, "weights"))
    check_same_shape(logits=logits, targets=targets)
    check_shape(logits.shape[:1], weights=weights)
    return mean(-weights * ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1))
