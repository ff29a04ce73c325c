"""The loss of UDA."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.losses.fixmatch import confidence_mask, weighted_cross_entropy
from keras_ssl.numerics import as_float
from keras_ssl.validation import check_positive, check_same_shape, check_threshold


def uda(
    weak_logits: Tensor,
    strong_logits: Tensor,
    temperature: float | Tensor = 0.4,
    threshold: float | Tensor = 0.8,
) -> tuple[Tensor, Tensor]:
    """UDA loss: cross-entropy of strong views with the sharpened predictions of weak views.

    Args:
        weak_logits: Float tensor `(B, K)`. No gradient reaches them.
        strong_logits: Float tensor `(B, K)`, for strong views of the same images.
        temperature: Float > 0. Below 1 it sharpens the predictions of weak views.
        threshold: Float, or tensor `(B,)` with a threshold for each image. An image is used if the
            highest probability of its weak view, before sharpening, reaches it.

    Returns:
        Pair `(loss, mask)`, as in `fixmatch`. The loss of soft targets does not reach 0: its
        minimum is their entropy, by which it exceeds the divergence in the paper. If all logits are
        equal, it is `log(K)` at a threshold of at most `1 / K`, and 0 above.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes differ or are not `(B, K)`, `temperature` is not above 0, or
            `threshold` has another shape.

    Source:
        Xie et al. 2019, https://arxiv.org/abs/1904.12848, section 3.2 (sharpening and masking).
    """
    weak = ops.stop_gradient(as_float(weak_logits, "weak_logits"))
    strong = as_float(strong_logits, "strong_logits")
    check_same_shape(weak_logits=weak, strong_logits=strong)
    check_positive(temperature=temperature)
    check_threshold(threshold, weak)
    mask = confidence_mask(weak, threshold)
    targets = ops.softmax(weak / temperature, axis=1)
    return weighted_cross_entropy(strong, targets, mask), mask
