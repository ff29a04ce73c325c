"""InfoNCE, the loss of MoCo: a query finds its key among others."""

from keras import ops

from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import check_int, check_not_empty, check_positive, check_same_shape


def info_nce(query, key, negatives=None, temperature=0.2, num_chunks=1):
    """Cross-entropy of picking each query's key, by cosine similarity, among other keys.

    Args:
        query: Float tensor `(B, D)`.
        key: Float tensor `(B, D)`, same order; no gradient reaches it.
        negatives: Float tensor `(K, D)`, the keys to tell it from, such as a queue of past ones; no
            gradient reaches them. None for the other keys of the batch. Nothing need be
            normalized.
        temperature: Float > 0. Smaller attends more to the hardest negatives.
        num_chunks: Int >= 1. With more than one the similarities of a part of the rows at a time are
            computed, and again for the gradient: memory for that part, where 1 keeps all, for half
            as much computing again. The value is the same.

    Returns:
        Scalar, float32 (float64 for float64 input). When all rows are equal, the logarithm of the
        number of keys to choose from: `log(K + 1)`, or `log(B)` without `negatives`.

    Raises:
        TypeError: If `num_chunks` is not an int.
        ValueError: If the shapes are not as described, `temperature` is not above 0, or `num_chunks` is
            below 1.

    Source:
        He et al. 2019, https://arxiv.org/abs/1911.05722, equation 1 and algorithm 1; without
        `negatives` Chen et al. 2021, https://arxiv.org/abs/2104.02057, algorithm 1.
    """
    query, key = as_float(query, "query"), ops.stop_gradient(as_float(key, "key"))
    check_same_shape(query=query, key=key)
    check_positive(temperature=temperature)
    check_int(1, num_chunks=num_chunks)

    query, key = l2_normalize(query), l2_normalize(key)
    positive = ops.sum(query * key, axis=1) / temperature
    others = key
    if negatives is not None:
        negatives = ops.stop_gradient(as_float(negatives, "negatives"))
        _check_width(negatives, query)
        others = l2_normalize(ops.cast(negatives, query.dtype))

    def log_sums(rows, positive, others):
        logits = ops.matmul(rows, ops.transpose(others)) / temperature
        if negatives is not None:
            logits = ops.concatenate([positive[:, None], logits], axis=1)
        return ops.logsumexp(logits, axis=1)

    log_sum = ops.concatenate(map_row_chunks(log_sums, num_chunks, (query, positive), others))
    return mean(log_sum - positive)


def _check_width(negatives, query):
    if len(negatives.shape) != 2 or negatives.shape[1] != query.shape[1]:
        raise ValueError(
            f"`negatives` must have shape (K, {query.shape[1]}), received {tuple(negatives.shape)}."
        )
    check_not_empty(negatives=negatives)
