"""Recall of cross-modal retrieval."""

from collections.abc import Sequence

import numpy as np

from keras_ssl._types import Tensor
from keras_ssl.evaluation.metrics.inputs import as_array
from keras_ssl.evaluation.nearest_neighbors import nearest_neighbors
from keras_ssl.validation import check_int


def recall_at_k(
    queries: Tensor,
    gallery: Tensor,
    k: int = 1,
    groups: Sequence[int] | Sequence[str] | None = None,
) -> float:
    """Fraction of queries with a correct answer among the `k` nearest rows of the gallery.

    Nearest means the largest cosine similarity. With images as queries and captions as gallery,
    this is image-to-text recall. Swap the two for text-to-image recall.

    Args:
        queries: Float array `(N, D)`, such as encodings of images.
        gallery: Float array `(N, D)`, such as encodings of their captions. Row i is the answer to
            query i.
        k: Int >= 1, capped at N.
        groups: Sequence of N ints or strings, such as labels or captions. All rows of the same
            group answer each other. None means that only row i answers query i.

    Returns:
        Float 0..1.

    Raises:
        ValueError: If the shapes do not match, or `k` is below 1.
        TypeError: If an argument is of an unsupported type.
    """
    queries = as_array("queries", queries, "float32")
    gallery = as_array("gallery", gallery, "float32")
    check_int(1, k=k)
    if queries.ndim != 2 or queries.shape != gallery.shape or not len(queries):
        raise ValueError(
            "`queries` and `gallery` must have the same shape (N, D), N > 0. Received "
            f"{queries.shape} and {gallery.shape}."
        )
    group_ids = np.arange(len(gallery))
    if groups is not None:
        names = np.asarray(groups)
        if names.shape != group_ids.shape or names.dtype.kind not in "iubSU":
            raise ValueError(
                f"`groups` must be {len(gallery)} ints or strings, one for each row. Received "
                f"shape {names.shape} and dtype {names.dtype}."
            )
        group_ids = np.unique(names, return_inverse=True)[1]
    k, num_correct = min(k, len(gallery)), 0
    for rows, indices, _ in nearest_neighbors(queries, gallery, k):
        is_correct = group_ids[indices] == group_ids[rows, None]
        num_correct += int(np.any(is_correct, axis=1).sum())
    return num_correct / len(queries)
