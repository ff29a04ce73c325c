"""The supervised contrastive loss."""

from keras import ops

from keras_ssl.losses.checks import as_float, check_positive, normalize


def supcon(z, labels, temperature=0.1):
    """Contrast in which all rows of one label are positives of each other.

    For an anchor i with positives P(i), the other rows of its label, the loss is the mean over P(i)
    of the cross-entropy of picking that positive among all rows but i; the sum over P(i) stands
    outside the logarithm. Anchors without a positive are left out.

    Args:
        z: Float tensor `(N, D)`, projections of all views, stacked. Need not be normalised.
        labels: Integer tensor `(N,)`, the class of each row.
        temperature: Float > 0. Smaller attends more to the hardest rows.

    Returns:
        Scalar, float32 (float64 for float64 input): the mean over anchors that have a positive.
        0 where none has one.

    Raises:
        ValueError: If `z` is not `(N, D)`, `labels` is not `(N,)`, or `temperature` is not above 0.

    Source:
        Khosla et al. 2020, https://arxiv.org/abs/2004.11362, equation 2 ("out").
    """
    z, labels = as_float(z), ops.convert_to_tensor(labels)
    _check(z, labels)
    check_positive(temperature=temperature)

    z = normalize(z)
    itself = ops.eye(ops.shape(z)[0], dtype="bool")
    similarity = ops.matmul(z, ops.transpose(z)) / temperature
    log_sum = ops.logsumexp(ops.where(itself, -float("inf"), similarity), axis=1)
    is_positive = ops.equal(labels[:, None], labels[None]) & ~itself
    is_positive = ops.cast(is_positive, z.dtype)
    positives = ops.sum(is_positive, axis=1)
    similarity_of_positives = ops.sum(is_positive * similarity, axis=1)
    loss = log_sum - similarity_of_positives / ops.maximum(positives, 1.0)
    anchors = ops.cast(positives > 0, z.dtype)
    return ops.sum(loss * anchors) / ops.maximum(ops.sum(anchors), 1.0)


def _check(z, labels):
    if len(z.shape) != 2:
        raise ValueError(f"`z` must have shape (N, D), received {tuple(z.shape)}.")
    rows, given = z.shape[0], tuple(labels.shape)
    if len(given) != 1 or (None not in (rows, given[0]) and rows != given[0]):
        raise ValueError(
            f"`labels` must have shape ({'N' if rows is None else rows},), one class number for "
            f"each row of `z`, received shape {given}."
        )
