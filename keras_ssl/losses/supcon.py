"""The supervised contrastive loss."""

import keras
from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.validation import check_int, check_matrix, check_positive, check_shape


def supcon(
    z: Tensor, labels: Tensor, temperature: float | Tensor = 0.1, num_chunks: int = 1
) -> Tensor:
    """SupCon loss: contrast in which all rows of a class are positives of each other.

    The positives of a row are the other rows with its label. The loss of a row is the cross-entropy
    of finding a positive among all other rows, as the mean over its positives (the mean is outside
    the logarithm). Rows without a positive are ignored.

        z = ops.concatenate([z1, z2])  # both views of each image
        loss = keras_ssl.losses.supcon(z, ops.concatenate([labels, labels]))

    Args:
        z: Float tensor `(N, D)`, projections of all views, stacked. They are normalized here.
        labels: Int tensor `(N,)`, the class of each row.
        temperature: Float > 0. A smaller temperature gives more weight to the hardest rows.
        num_chunks: Int >= 1. Number of chunks in which the similarity matrix is computed, to save
            memory. Same value; see `losses.chunked`.

    Returns:
        Scalar >= 0, the mean over rows that have a positive, float32 (float64 for float64 input).
        0 if no row has a positive. `log(N - 1)` if all rows are equal.

    Raises:
        TypeError: If an argument is of the wrong kind, such as labels that are not ints.
        ValueError: If `z` is not `(N, D)`, `labels` is not `(N,)`, `temperature` is not above 0, or
            `num_chunks` is below 1.

    Source:
        Khosla et al. 2020, https://arxiv.org/abs/2004.11362, equation 2 ("out").
    """
    z, labels = as_float(z, "z"), _as_labels(labels)
    check_matrix(z=z)
    check_shape(z.shape[:1], labels=labels)
    check_positive(temperature=temperature)
    check_int(1, num_chunks=num_chunks)

    z = l2_normalize(z)
    indices = ops.arange(ops.shape(z)[0])

    def row_losses(rows, row_indices, row_labels, z):
        """Returns the loss of each row, and 1 for each row that has a positive."""
        is_self = row_indices[:, None] == indices
        similarity = ops.matmul(rows, ops.transpose(z)) / temperature
        log_sum = ops.logsumexp(ops.where(is_self, -float("inf"), similarity), axis=1)
        is_positive = ops.cast(ops.equal(row_labels[:, None], labels[None]) & ~is_self, z.dtype)
        num_positives = ops.sum(is_positive, axis=1)
        positive = ops.sum(is_positive * similarity, axis=1) / ops.maximum(num_positives, 1.0)
        return log_sum - positive, ops.cast(num_positives > 0, z.dtype)

    outputs = zip(*map_row_chunks(row_losses, num_chunks, (z, indices, labels), z), strict=True)
    loss, has_positive = map(ops.concatenate, outputs)
    return ops.sum(loss * has_positive) / ops.maximum(ops.sum(has_positive), 1.0)


def _as_labels(labels):
    try:
        labels = ops.convert_to_tensor(labels)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`labels` must be a tensor of ints, received {labels!r}.") from error
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if "int" not in dtype:
        raise TypeError(f"`labels` must be a tensor of ints, received dtype {dtype}.")
    return labels
