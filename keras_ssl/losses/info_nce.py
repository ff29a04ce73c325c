"""InfoNCE, the loss of MoCo: a query finds its key among others."""

from keras import ops

from keras_ssl.losses.checks import (
    as_float,
    check_pairs,
    check_positive,
    cross_entropy,
    mean,
    normalize,
)


def info_nce(query, key, negatives=None, temperature=0.2):
    """Cross-entropy of picking each query's key, by cosine similarity, among other keys.

    Args:
        query: Float tensor `(B, D)`.
        key: Float tensor `(B, D)`, same order; no gradient reaches it.
        negatives: Float tensor `(K, D)`, the keys to tell it from, such as a queue of past ones; no
            gradient reaches them. None for the other keys of the batch. Nothing need be
            normalised.
        temperature: Float > 0. Smaller attends more to the hardest negatives.

    Returns:
        Scalar, float32 (float64 for float64 input). When all rows are equal, the logarithm of the
        number of keys to choose from: `log(K + 1)`, or `log(B)` without `negatives`.

    Raises:
        ValueError: If the shapes are not as described, or `temperature` is not above 0.

    Source:
        He et al. 2019, https://arxiv.org/abs/1911.05722, equation 1 and algorithm 1; without
        `negatives` Chen et al. 2021, https://arxiv.org/abs/2104.02057, algorithm 1.
    """
    query, key = as_float(query), ops.stop_gradient(as_float(key))
    check_pairs(query=query, key=key)
    check_positive(temperature=temperature)

    query, key = normalize(query), normalize(key)
    if negatives is None:
        logits = ops.matmul(query, ops.transpose(key)) / temperature
        return cross_entropy(logits, ops.eye(ops.shape(logits)[0], dtype=logits.dtype))

    negatives = ops.stop_gradient(as_float(negatives))
    _check_width(negatives, query)
    positive = ops.sum(query * key, axis=1, keepdims=True) / temperature
    negative = ops.matmul(query, ops.transpose(normalize(negatives))) / temperature
    log_sum = ops.logsumexp(ops.concatenate([positive, negative], axis=1), axis=1)
    return mean(log_sum - positive[:, 0])


def _check_width(negatives, query):
    if len(negatives.shape) != 2 or negatives.shape[1] != query.shape[1]:
        raise ValueError(
            f"`negatives` must have shape (K, {query.shape[1]}), received {tuple(negatives.shape)}."
        )
