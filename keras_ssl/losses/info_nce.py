"""The loss of MoCo."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.losses.chunked import map_row_chunks
from keras_ssl.numerics import as_float, l2_normalize, mean
from keras_ssl.validation import (
    check_int,
    check_not_empty,
    check_positive,
    check_same_shape,
    check_shape,
)


def info_nce(
    query: Tensor,
    key: Tensor,
    negatives: Tensor | None = None,
    temperature: float | Tensor = 0.2,
    num_chunks: int = 1,
) -> Tensor:
    """MoCo loss: cross-entropy of finding the key of each query among negatives (InfoNCE).

    Queries are compared with keys by cosine similarity, divided by `temperature`. All inputs are
    normalized here.

        loss = keras_ssl.losses.info_nce(query, key, queue)  # MoCo v2
        loss = keras_ssl.losses.info_nce(query, key)  # MoCo v3: negatives from the batch

    Args:
        query: Float tensor `(B, D)`, projections or predictions of the encoder.
        key: Float tensor `(B, D)`, projections of the momentum encoder for other views of the same
            images, in the same order. No gradient reaches them.
        negatives: Float tensor `(K, D)`, such as a queue of past keys. No gradient reaches them.
            None uses the keys of the other images in the batch.
        temperature: Float > 0. A smaller temperature gives more weight to the hardest negatives.
        num_chunks: Int >= 1. Number of chunks in which the similarity matrix is computed, to save
            memory. Same value; see `losses.chunked`.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input). If all rows are equal, the logarithm of
        the number of choices: `log(K + 1)` with `negatives`, `log(B)` without.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes are not as described, `temperature` is not above 0, or
            `num_chunks` is below 1.

    Source:
        He et al. 2019, https://arxiv.org/abs/1911.05722, equation 1 and algorithm 1; without
        `negatives`, Chen et al. 2021, https://arxiv.org/abs/2104.02057, algorithm 1.
    """
    query, key = as_float(query, "query"), ops.stop_gradient(as_float(key, "key"))
    check_same_shape(query=query, key=key)
    check_positive(temperature=temperature)
    check_int(1, num_chunks=num_chunks)

    query, key = l2_normalize(query), l2_normalize(key)
    positive = ops.sum(query * key, axis=1) / temperature
    keys = key
    if negatives is not None:
        negatives = ops.stop_gradient(as_float(negatives, "negatives"))
        check_shape((None, query.shape[1]), negatives=negatives)
        check_not_empty(negatives=negatives)
        keys = l2_normalize(ops.cast(negatives, query.dtype))

    def log_sums(queries, positives, keys):
        logits = ops.matmul(queries, ops.transpose(keys)) / temperature
        if negatives is not None:
            logits = ops.concatenate([positives[:, None], logits], axis=1)
        return ops.logsumexp(logits, axis=1)

    log_sum = ops.concatenate(map_row_chunks(log_sums, num_chunks, (query, positive), keys))
    return mean(log_sum - positive)
