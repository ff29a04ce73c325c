"""The supervised contrastive loss."""

import keras
from keras import ops

from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.validation import check_int, check_not_empty, check_positive


def supcon(z, labels, temperature=0.1, num_chunks=1):
    """Contrast in which all rows of one label are positives of each other.

    For an anchor i with positives P(i), the other rows of its label, the loss is the mean over P(i)
    of the cross-entropy of picking that positive among all rows but i; the sum over P(i) stands
    outside the logarithm. Anchors without a positive are left out.

    Args:
        z: Float tensor `(N, D)`, projections of all views, stacked. Need not be normalized.
        labels: Integer tensor `(N,)`, the class of each row.
        temperature: Float > 0. Smaller attends more to the hardest rows.
        num_chunks: Int >= 1. With more than one the similarities of a part of the rows at a time are
            computed, and again for the gradient: memory for that part, where 1 keeps all, for half
            as much computing again. The value is the same.

    Returns:
        Scalar, float32 (float64 for float64 input): the mean over anchors that have a positive.
        0 where none has one.

    Raises:
        TypeError: If `num_chunks` is not an int.
        ValueError: If `z` is not `(N, D)`, `labels` is not `(N,)`, `temperature` is not above 0, or
            `num_chunks` is below 1.

    Source:
        Khosla et al. 2020, https://arxiv.org/abs/2004.11362, equation 2 ("out").
    """
    z, labels = as_float(z, "z"), _as_tensor(labels)
    _check(z, labels)
    check_positive(temperature=temperature)
    check_int(1, num_chunks=num_chunks)

    z = l2_normalize(z)
    numbers = ops.arange(ops.shape(z)[0])

    def of_rows(rows, of_rows, own, z):
        """The loss of each row, and 1 where it has a positive."""
        itself = of_rows[:, None] == numbers
        similarity = ops.matmul(rows, ops.transpose(z)) / temperature
        log_sum = ops.logsumexp(ops.where(itself, -float("inf"), similarity), axis=1)
        is_positive = ops.cast(ops.equal(own[:, None], labels[None]) & ~itself, z.dtype)
        positives = ops.sum(is_positive, axis=1)
        similarity = ops.sum(is_positive * similarity, axis=1)
        anchors = ops.cast(positives > 0, z.dtype)
        return log_sum - similarity / ops.maximum(positives, 1.0), anchors

    parts = zip(*map_row_chunks(of_rows, num_chunks, (z, numbers, labels), z), strict=True)
    loss, anchors = map(ops.concatenate, parts)
    return ops.sum(loss * anchors) / ops.maximum(ops.sum(anchors), 1.0)


def _check(z, labels):
    if "int" not in keras.backend.standardize_dtype(labels.dtype):
        raise TypeError(f"`labels` must be class numbers, ints; received dtype {labels.dtype}.")
    if len(z.shape) != 2:
        raise ValueError(f"`z` must have shape (N, D), received {tuple(z.shape)}.")
    rows, given = z.shape[0], tuple(labels.shape)
    if len(given) != 1 or (None not in (rows, given[0]) and rows != given[0]):
        raise ValueError(
            f"`labels` must have shape ({'N' if rows is None else rows},), one class number for "
            f"each row of `z`, received shape {given}."
        )
    check_not_empty(z=z)


def _as_tensor(labels):
    try:
        return ops.convert_to_tensor(labels)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`labels` must be class numbers, ints; received {labels!r}.") from error
