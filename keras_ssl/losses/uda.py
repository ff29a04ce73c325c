"""The loss of UDA."""

from keras import ops

from keras_ssl.losses.fixmatch import weighted_cross_entropy
from keras_ssl.numerics import as_float
from keras_ssl.validation import check_positive, check_same_shape, check_threshold


def uda(weak_logits, strong_logits, temperature=0.4, threshold=0.8):
    """Cross-entropy of the strong view with the sharpened prediction of the weak one.

    Args:
        weak_logits: Float tensor `(B, K)`; no gradient reaches them.
        strong_logits: Float tensor `(B, K)`, of the same images.
        temperature: Float > 0; below 1 it sharpens what the weak view shows.
        threshold: Float, see `fixmatch`; it is met by the prediction before it is sharpened.

    Returns:
        Pair `(loss, mask)` as `fixmatch` returns it. Where predictions are soft the loss cannot
        reach 0: it ends at their entropy, by which the paper's divergence is less.

    Raises:
        ValueError: If the shapes differ or are not `(B, K)`, or `temperature` is not above 0.

    Source:
        Xie et al. 2019, https://arxiv.org/abs/1904.12848, section 3.2 (sharpening and masking).
    """
    weak, strong = (
        ops.stop_gradient(as_float(weak_logits, "weak_logits")),
        as_float(strong_logits, "strong_logits"),
    )
    check_same_shape(weak_logits=weak, strong_logits=strong)
    check_positive(temperature=temperature)
    check_threshold(threshold, weak)
    confidence = ops.max(ops.softmax(weak, axis=1), axis=1)
    mask = ops.cast(confidence >= ops.convert_to_tensor(threshold, weak.dtype), weak.dtype)
    sharp = ops.softmax(weak / temperature, axis=1)
    return weighted_cross_entropy(strong, sharp, mask), mask
