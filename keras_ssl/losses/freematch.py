"""The fairness loss of FreeMatch."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, one_hot
from keras_ssl.validation import check_matrix, check_shape

EPSILON = 1e-12  # keeps the logarithm and the divisions finite for classes that never occur


def fairness(strong_logits: Tensor, mask: Tensor, expected: Tensor, histogram: Tensor) -> Tensor:
    """FreeMatch fairness loss: encourages diverse predictions of strong views.

    It compares two distributions over classes: the mean prediction of the strong views that are
    used, and the expected prediction, a running mean over weak views. Each is divided by the
    frequency with which each class is the most likely one and scaled to sum to 1; classes that are
    never the most likely one count as 0. The loss is `sum(expected * log(predicted))` of these two,
    with the sign of the paper and of the authors' code, which add it to the minimized loss.

    Args:
        strong_logits: Float tensor `(B, K)`.
        mask: Float tensor `(B,)`, 1 for images that are used and 0 for the others. No gradient
            reaches it.
        expected: Float tensor `(K,)`, running mean of the probabilities of weak views. No gradient
            reaches it.
        histogram: Float tensor `(K,)`, running frequency of each class as the most likely one of
            weak views. No gradient reaches it.

    Returns:
        Scalar in -27.7..0, float32 (float64 for float64 input). 0 if no image is used. If all
        logits are equal, they count as predictions of class 0, and the loss is about
        `-27.6 * (1 - e)`, where `e` is the scaled expected frequency of class 0.

    Raises:
        TypeError: If an argument is not a tensor of numbers.
        ValueError: If the shapes are not as described.

    Source:
        Wang et al. 2022, https://arxiv.org/abs/2205.07246, equations 10 to 13.
    """
    strong = as_float(strong_logits, "strong_logits")
    mask = ops.stop_gradient(as_float(mask, "mask"))
    expected = ops.stop_gradient(as_float(expected, "expected"))
    histogram = ops.stop_gradient(as_float(histogram, "histogram"))
    check_matrix(strong_logits=strong)
    check_shape(strong.shape[:1], mask=mask)
    check_shape(strong.shape[1:], expected=expected, histogram=histogram)
    num_used = ops.maximum(ops.sum(mask), 1.0)
    probabilities = ops.softmax(strong, axis=1)
    most_likely = one_hot(ops.argmax(strong, axis=1), strong)
    mean_probability = ops.sum(mask[:, None] * probabilities, axis=0) / num_used
    frequency = ops.sum(mask[:, None] * most_likely, axis=0) / num_used
    target = _divide_by_frequency(expected, histogram)
    predicted = _divide_by_frequency(mean_probability, frequency)
    is_any_used = ops.cast(ops.any(mask > 0), strong.dtype)
    return ops.sum(target * ops.log(predicted + EPSILON)) * is_any_used


def _divide_by_frequency(probabilities, frequency):
    """Divides by the frequency, with 0 for classes that never occur, and scales the sum to 1."""
    scaled = ops.where(frequency > 0, probabilities / ops.maximum(frequency, EPSILON), 0.0)
    return scaled / ops.maximum(ops.sum(scaled), EPSILON)
