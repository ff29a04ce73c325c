"""How often the right one is among the nearest: images by text, and text by images."""

import numpy as np

from keras_ssl.evaluation.metrics.nearest_neighbors import nearest_neighbors
from keras_ssl.validation import as_array, check_int


def recall_at_k(queries, gallery, k=1, groups=None):
    """Share of queries of which a right answer is among the k nearest by cosine.

    Args:
        queries: Float array `(N, D)`, encodings of images, say.
        gallery: Float array `(N, D)`, of their captions: row i answers query i.
        k: Int >= 1; capped at N.
        groups: Sequence of N labels, or captions: rows of equal ones answer each other. None where
            row i alone answers query i.

    Returns:
        Float in 0..1.

    Raises:
        ValueError: If the shapes do not fit, or `k` is below 1.
    """
    queries = as_array("queries", queries, "float32")
    gallery = as_array("gallery", gallery, "float32")
    check_int(1, k=k)
    if queries.ndim != 2 or queries.shape != gallery.shape or not len(queries):
        raise ValueError(
            "`queries` and `gallery` must be of one shape (N, D), N > 0; received "
            f"{queries.shape} and {gallery.shape}."
        )
    answers = np.arange(len(gallery))
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != answers.shape or groups.dtype.kind not in "iubSU":
            raise ValueError(
                f"`groups` has {groups.size} labels for {len(gallery)} rows, of dtype {groups.dtype} and "
                f"shape {groups.shape}: there must be one for each row, ints or strings."
            )
        answers = np.unique(groups, return_inverse=True)[1]
    k, right = min(k, len(gallery)), 0
    for rows, places, _ in nearest_neighbors(queries, gallery, k):
        right += int(np.any(answers[places] == answers[rows, None], axis=1).sum())
    return right / len(queries)
