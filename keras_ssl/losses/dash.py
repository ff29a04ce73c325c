"""The loss of Dash."""

import numpy as np
from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, one_hot
from keras_ssl.validation import check_positive, check_same_shape, check_threshold


def dash(
    weak_logits: Tensor,
    strong_logits: Tensor,
    threshold: float | Tensor,
    temperature: float | Tensor = 0.5,
    hard: bool | Tensor = False,
) -> tuple[Tensor, Tensor]:
    """Dash loss: cross-entropy of strong views with the predictions of weak views of low loss.

    An image is used if the loss of its weak view is below the threshold. This loss is the
    cross-entropy with the most likely class: the negative logarithm of its probability.

    Args:
        weak_logits: Float tensor `(B, K)`. No gradient reaches them.
        strong_logits: Float tensor `(B, K)`, for strong views of the same images.
        threshold: Float >= 0, a value of the loss, or tensor `(B,)` with one for each image. Above
            `log(K)` all images are used.
        temperature: Float > 0. Below 1 it sharpens the predictions of weak views.
        hard: Bool or scalar bool tensor, whether the target is the most likely class of the weak
            view (a hard pseudo-label) rather than its sharpened prediction.

    Returns:
        Pair `(loss, mask)`, both float32 (float64 for float64 input). `loss` is a scalar >= 0, the
        mean over the images that are used, and 0 if there are none; `mask` is `(B,)`, 1 for each
        image that is used and 0 for the others. If all logits are equal, the loss is `log(K)` at a
        threshold above `log(K)`, and 0 below.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes differ or are not `(B, K)`, `temperature` is not above 0, or
            `threshold` has another shape.

    Source:
        Xu et al. 2021, http://proceedings.mlr.press/v139/xu21e.html, equation 8 and algorithm 1,
        with the selection, the targets and the mean over used images of the authors' code.
    """
    weak = ops.stop_gradient(as_float(weak_logits, "weak_logits"))
    strong = as_float(strong_logits, "strong_logits")
    check_same_shape(weak_logits=weak, strong_logits=strong)
    check_positive(temperature=temperature)
    check_threshold(threshold, weak)
    hard = _as_condition(hard)
    weak_losses = -ops.max(ops.log_softmax(weak, axis=1), axis=1)
    mask = ops.cast(weak_losses < ops.convert_to_tensor(threshold, weak.dtype), weak.dtype)
    sharpened = ops.softmax(weak / temperature, axis=1)
    targets = ops.where(hard, one_hot(ops.argmax(weak, axis=1), weak), sharpened)
    strong_losses = -ops.sum(targets * ops.log_softmax(strong, axis=1), axis=1)
    return ops.sum(mask * strong_losses) / ops.maximum(ops.sum(mask), 1.0), mask


def _as_condition(hard):
    if isinstance(hard, (bool, np.bool_)):
        return bool(hard)
    if not ops.is_tensor(hard) or tuple(hard.shape) != ():
        raise TypeError(f"`hard` must be a bool or a scalar bool tensor, received {hard!r}.")
    return hard
