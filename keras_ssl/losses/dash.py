"""The loss of Dash."""

import numpy as np
from keras import ops

from keras_ssl.numerics import as_float, one_hot
from keras_ssl.validation import check_positive, check_same_shape, check_threshold


def dash(weak_logits, strong_logits, threshold, temperature=0.5, hard=False):
    """Cross-entropy of the strong view with the weak one's prediction, where that is definite.

    What decides is the cross-entropy of the weak view with its own likeliest class, the negative
    logarithm of that class's probability: an image counts while it lies below the threshold.

    Args:
        weak_logits: Float tensor `(B, K)`; no gradient reaches them.
        strong_logits: Float tensor `(B, K)`, of the same images.
        threshold: Float >= 0, in the unit of the loss. Above log K all images count.
        temperature: Float > 0; below 1 it sharpens what the weak view shows.
        hard: Bool, or a tensor of one: whether the weak view's likeliest class is the target,
            rather than its sharpened prediction.

    Returns:
        Pair `(loss, mask)`: the mean over the images that count, 0 where there is none, and `(B,)`
        of 1 for each that counts and 0 else; both float32 (float64 for float64 input).

    Raises:
        ValueError: If the shapes differ or are not `(B, K)`, or `temperature` is not above 0.

    Source:
        Xu et al. 2021, http://proceedings.mlr.press/v139/xu21e.html, equation 8 and algorithm 1;
        what decides, the targets and the mean over the images that count as in the authors' code.
    """
    weak, strong = (
        ops.stop_gradient(as_float(weak_logits, "weak_logits")),
        as_float(strong_logits, "strong_logits"),
    )
    check_same_shape(weak_logits=weak, strong_logits=strong)
    check_positive(temperature=temperature)
    check_threshold(threshold, weak)
    hard = _as_bool(hard)
    own_loss = -ops.max(ops.log_softmax(weak, axis=1), axis=1)
    mask = ops.cast(own_loss < ops.convert_to_tensor(threshold, weak.dtype), weak.dtype)
    soft = ops.softmax(weak / temperature, axis=1)
    targets = ops.where(hard, one_hot(ops.argmax(weak, axis=1), weak), soft)
    each = -ops.sum(targets * ops.log_softmax(strong, axis=1), axis=1)
    return ops.sum(mask * each) / ops.maximum(ops.sum(mask), 1.0), mask


def _as_bool(hard):
    if isinstance(hard, (bool, np.bool_)):
        return bool(hard)
    if not ops.is_tensor(hard) or tuple(hard.shape) != ():
        raise TypeError(f"`hard` must be a bool or a tensor of one, received {hard!r}.")
    return hard
