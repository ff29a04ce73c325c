"""Nearest neighbors by cosine similarity in large arrays."""

import numpy as np
from keras import ops

from keras_ssl import distribute
from keras_ssl._internals import highest_matmul_precision

QUERY_CHUNK = 128  # queries per matrix product; smaller products are slow
MAX_SIMILARITIES = 2**22  # similarities held at a time: 16 MiB of float32
MAX_SIMILARITIES_ON_DEVICE = 2**28  # 1 GiB


def nearest_neighbors(queries, gallery, k):
    """Finds the `k` rows of a gallery that are most similar to each query.

    An accelerator computes all similarities of some queries at a time. A CPU computes them in parts
    that fit its cache.

    Args:
        queries: Float32 array `(M, D)`.
        gallery: Float32 array `(N, D)`, N >= `k`.
        k: Int >= 1.

    Yields:
        For each chunk of m queries, in order: the slice of `queries`, the indices of its
        neighbors in `gallery`, int64 `(m, k)`, and their similarities, float32 `(m, k)` in -1..1.
        The neighbors of a query are not sorted.
    """
    if distribute.has_accelerator():
        yield from neighbors_on_device(queries, gallery, k)
        return
    # Products are scaled instead of the gallery, which saves a copy of the gallery.
    scale = 1 / _row_norms(gallery)
    queries = queries / _row_norms(queries)[:, None]
    gallery_chunk = max(k, MAX_SIMILARITIES // QUERY_CHUNK)
    for start in range(0, len(queries), QUERY_CHUNK):
        rows = slice(start, start + QUERY_CHUNK)
        index_chunks, similarity_chunks = [], []
        for first in range(0, len(gallery), gallery_chunk):
            part = slice(first, first + gallery_chunk)
            similarity = queries[rows] @ gallery[part].T
            similarity *= scale[part]
            indices = _top_k(similarity, k)
            index_chunks.append(indices + first)
            similarity_chunks.append(np.take_along_axis(similarity, indices, 1))
        indices = np.concatenate(index_chunks, axis=1)
        similarities = np.concatenate(similarity_chunks, axis=1)
        if len(index_chunks) > 1:
            best = np.argpartition(similarities, -k, axis=1)[:, -k:]
            indices = np.take_along_axis(indices, best, 1)
            similarities = np.take_along_axis(similarities, best, 1)
        yield rows, indices, similarities


def neighbors_on_device(queries, gallery, k):
    """As `nearest_neighbors`, by the backend."""
    queries = queries / _row_norms(queries)[:, None]
    gallery = ops.transpose(ops.convert_to_tensor(gallery / _row_norms(gallery)[:, None]))
    chunk = max(1, MAX_SIMILARITIES_ON_DEVICE // gallery.shape[1])
    for start in range(0, len(queries), chunk):
        rows = slice(start, start + chunk)
        with highest_matmul_precision():
            similarity = ops.matmul(queries[rows], gallery)
        best, indices = ops.top_k(similarity, k, sorted=False)
        indices = ops.convert_to_numpy(indices).astype("int64")
        yield rows, indices, ops.convert_to_numpy(best)


def _top_k(values, k):
    """Returns the indices of the `k` largest values of each row `(m, n)`, or of all if n < k.

    The largest values of a row lie in the `k` groups that have the largest maxima. Only these
    groups are searched.
    """
    num_rows, count = values.shape
    num_groups = count // max(1, round((count / k) ** 0.5))
    if num_groups <= k:
        return np.argpartition(values, -min(k, count), axis=1)[:, -k:]
    num_grouped = count // num_groups * num_groups
    maxima = values[:, :num_grouped].reshape(num_rows, -1, num_groups).max(axis=1)
    groups = np.argpartition(maxima, -k, axis=1)[:, None, -k:]
    candidates = groups + np.arange(0, num_grouped, num_groups)[:, None]
    candidates = candidates.reshape(num_rows, -1)
    ungrouped = np.arange(num_grouped, count)
    ungrouped = np.broadcast_to(ungrouped, (num_rows, count - num_grouped))
    candidates = np.concatenate([candidates, ungrouped], axis=1)
    best = np.argpartition(np.take_along_axis(values, candidates, 1), -k, axis=1)[:, -k:]
    return np.take_along_axis(candidates, best, 1)


def _row_norms(features):
    # einsum does not allocate an array of squares.
    return np.maximum(np.sqrt(np.einsum("ij,ij->i", features, features)), 1e-12)
