"""The rows of a large array that are nearest to others by cosine similarity."""

import numpy as np

ROWS = 128  # queries at a time: fewer make slow products
SIMILARITIES = 2**22  # held at a time: 16 MiB of float32


def nearest_neighbors(queries, memory, k):
    """Finds the `k` rows of a memory that are most similar to each query.

    Args:
        queries: float32 array `(M, D)`.
        memory: float32 array `(N, D)`, N at least `k`.
        k: Int >= 1.

    Yields:
        For some queries after the other, a slice of `queries`, the places in `memory` int64
        `(m, k)` and their similarities float32 `(m, k)` in -1..1, in no order.
    """
    # The memory is not normalized but its products are: no second copy of it.
    scale = 1 / _norms(memory)
    queries = queries / _norms(queries)[:, None]
    block = max(k, SIMILARITIES // ROWS)
    for start in range(0, len(queries), ROWS):
        rows = slice(start, start + ROWS)
        found = []
        for first in range(0, len(memory), block):
            part = slice(first, first + block)
            similarity = queries[rows] @ memory[part].T
            similarity *= scale[part]
            places = _largest(similarity, k)
            found.append((places + first, np.take_along_axis(similarity, places, 1)))
        places, near = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
        if len(found) > 1:
            best = np.argpartition(near, -k, axis=1)[:, -k:]
            places, near = (np.take_along_axis(each, best, 1) for each in (places, near))
        yield rows, places, near


def _largest(values, k):
    """Places of the `k` largest in each row `(m, n)`, or of all where there are fewer.

    They lie in the `k` groups whose largest are largest: only these are looked through.
    """
    rows, count = values.shape
    groups = count // max(1, round((count / k) ** 0.5))
    if groups <= k:
        return np.argpartition(values, -min(k, count), axis=1)[:, -k:]
    grouped = count // groups * groups
    largest = values[:, :grouped].reshape(rows, -1, groups).max(axis=1)
    chosen = np.argpartition(largest, -k, axis=1)[:, None, -k:]
    candidates = (chosen + np.arange(0, grouped, groups)[:, None]).reshape(rows, -1)
    others = np.broadcast_to(np.arange(grouped, count), (rows, count - grouped))
    candidates = np.concatenate([candidates, others], axis=1)
    best = np.argpartition(np.take_along_axis(values, candidates, 1), -k, axis=1)[:, -k:]
    return np.take_along_axis(candidates, best, 1)


def _norms(features):
    # einsum: no array of the squares
    return np.maximum(np.sqrt(np.einsum("ij,ij->i", features, features)), 1e-12)
