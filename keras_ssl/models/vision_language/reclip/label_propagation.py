"""Label propagation on a sparse graph of nearest num_neighbors; NumPy and SciPy."""

import numpy as np

from keras_ssl.numerics import normalize_rows

WIDEST = 768  # directions of text that are kept at most
FEW = 250  # above `MANY` classes
MANY = 500
ROWS = 1024  # of similarities at a time: memory for ROWS * N numbers
ITERATIONS = 20


def text_directions(text):
    """The space that texts span, without the direction that all of them share.

    Args:
        text: `(C, D)`, an encoding of each class.

    Returns:
        Orthonormal columns `(D, r - 1)`; rows times them, and times their transpose, are projected.
    """
    left, _, _ = np.linalg.svd(np.asarray(text, "float64").T, full_matrices=False)
    return left[:, 1 : FEW if len(text) > MANY else WIDEST]


def neighbor_graph(points, num_neighbors):
    """The normalized affinities of points with their nearest num_neighbors.

    Args:
        points: `(N, D)`, rows of length 1 (or 0).
        num_neighbors: Int >= 1, how many of each row are kept.

    Returns:
        SciPy sparse array `(N, N)`, symmetric: `D^-1/2 A D^-1/2` of `A`, the mean of the kept
        affinities `(cosine + 1) / 2` and their transpose. Memory grows as `N * num_neighbors`.
    """
    from scipy import sparse

    points = np.asarray(points, "float32")
    count = len(points)
    kept = min(num_neighbors, count - 1)
    columns = np.empty((count, kept), "int32")
    values = np.empty((count, kept), "float32")
    for start in range(0, count, ROWS):
        near = points[start : start + ROWS] @ points.T
        rows = np.arange(len(near))
        near[rows, start + rows] = -np.inf
        best = np.argpartition(near, count - kept, axis=1)[:, count - kept :]
        columns[start : start + ROWS] = best
        values[start : start + ROWS] = (np.take_along_axis(near, best, axis=1) + 1) / 2
    offsets = np.arange(count + 1) * kept
    graph = sparse.csr_array(
        (values.ravel().astype("float64"), columns.ravel(), offsets), shape=(count, count)
    )
    graph = (graph + graph.T) / 2
    scale = sparse.diags_array(1 / np.sqrt(np.maximum(graph.sum(axis=1), 1e-12)))
    return (scale @ graph @ scale).tocsr()


def propagate(graph, labeled, weight=0.99):
    """Spreads labels over a graph.

    Solves `(I - weight * graph) F = Y` by conjugate gradients, class by class, of which only the
    best so far is kept.

    Args:
        graph: What `neighbor_graph` returned, of N points.
        labeled: Int, C: the first points, one of each class.
        weight: Float in 0..1, how far labels alpha.

    Returns:
        Int array `(N - C,)`, the class of each other point; float array `(N - C,)`, its score.
    """
    from scipy import sparse

    count = graph.shape[0]
    system = (sparse.eye_array(count, format="csr") - weight * graph).tocsr()
    best = np.full(count - labeled, -np.inf)
    labels = np.zeros(count - labeled, "int32")
    for label in range(labeled):
        known = np.zeros(count)
        known[label] = 1.0
        scores, _ = sparse.linalg.cg(system, known, rtol=1e-6, maxiter=ITERATIONS)
        is_better = scores[labeled:] > best
        labels[is_better] = label
        best = np.maximum(best, scores[labeled:])
    return labels, best


def pseudo_labels(text, images, directions=None, num_neighbors=20, weight=0.99):
    """Classes of images from encodings of both.

    Args:
        text: `(C, D)`, one row a class, of length 1.
        images: `(N, D)`, of length 1.
        directions: What `text_directions` returned; None for no projection.
        num_neighbors: Int >= 1, of the graph; None to take the nearest text instead.
        weight: As in `propagate`.

    Returns:
        Int array `(N,)`.
    """
    if directions is not None:
        # Coordinates in these directions: cosines are those of the projected rows.
        text, images = normalize_rows(text @ directions), normalize_rows(images @ directions)
    if num_neighbors is None:
        return np.argmax(images @ text.T, axis=1).astype("int32")
    graph = neighbor_graph(np.concatenate([text, images]), num_neighbors)
    return propagate(graph, len(text), weight)[0]


def centroids(images, labels, before):
    """The mean direction of the images of each class; that of before for a class without any."""
    return np.stack(
        [
            normalize_rows(images[labels == label].mean(axis=0, keepdims=True))[0]
            if np.any(labels == label)
            else old
            for label, old in enumerate(before)
        ]
    )
