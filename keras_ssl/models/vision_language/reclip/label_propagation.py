"""Label propagation on a sparse graph of nearest neighbors, in NumPy and SciPy."""

import numpy as np

from keras_ssl.numerics import normalize_rows

# Singular vectors of the text embeddings up to which the projection is kept.
MAX_DIRECTIONS = 768
MAX_DIRECTIONS_OF_MANY_CLASSES = 250
MANY_CLASSES = 500
CHUNK_SIZE = 1024  # rows of similarities in memory at a time: CHUNK_SIZE * N floats
MAX_ITERATIONS = 20  # of conjugate gradients


def text_directions(text):
    """Returns a basis of the space of text embeddings, without the direction they all share.

    Args:
        text: `(C, D)`, the embedding of each class.

    Returns:
        Array `(D, r - 1)` with orthonormal columns `V`; rows are projected by `V @ V.T`.
    """
    left, _, _ = np.linalg.svd(np.asarray(text, "float64").T, full_matrices=False)
    has_many_classes = len(text) > MANY_CLASSES
    return left[:, 1 : MAX_DIRECTIONS_OF_MANY_CLASSES if has_many_classes else MAX_DIRECTIONS]


def neighbor_graph(points, num_neighbors):
    """Returns the normalized affinities of points and their nearest neighbors.

    Args:
        points: `(N, D)`, rows of unit length (or zero).
        num_neighbors: Int >= 1, number of neighbors of each point.

    Returns:
        Symmetric SciPy sparse array `(N, N)`, `D^-1/2 A D^-1/2`. `A` is the mean of the affinities
        `(cosine + 1) / 2` of the nearest neighbors and their transpose, `D` its degrees. Memory
        grows as `N * num_neighbors`.
    """
    from scipy import sparse

    points = np.asarray(points, "float32")
    count = len(points)
    num_neighbors = min(num_neighbors, count - 1)
    columns = np.empty((count, num_neighbors), "int32")
    values = np.empty((count, num_neighbors), "float32")
    for start in range(0, count, CHUNK_SIZE):
        similarities = points[start : start + CHUNK_SIZE] @ points.T
        rows = np.arange(len(similarities))
        similarities[rows, start + rows] = -np.inf
        nearest = np.argpartition(similarities, count - num_neighbors, axis=1)
        nearest = nearest[:, count - num_neighbors :]
        columns[start : start + CHUNK_SIZE] = nearest
        cosines = np.take_along_axis(similarities, nearest, axis=1)
        values[start : start + CHUNK_SIZE] = (cosines + 1) / 2
    offsets = np.arange(count + 1) * num_neighbors
    graph = sparse.csr_array(
        (values.ravel().astype("float64"), columns.ravel(), offsets), shape=(count, count)
    )
    graph = (graph + graph.T) / 2
    scale = sparse.diags_array(1 / np.sqrt(np.maximum(graph.sum(axis=1), 1e-12)))
    return (scale @ graph @ scale).tocsr()


def propagate(graph, num_classes, alpha=0.99):
    """Propagates labels over a graph.

    Solves `(I - alpha * graph) F = Y` by conjugate gradients, one class at a time. Only the best
    class and score so far are stored.

    Args:
        graph: Graph of N points from `neighbor_graph`. The first C points are labeled, one of each
            class.
        num_classes: Int, C.
        alpha: Float, at least 0 and below 1. Higher values propagate labels further.

    Returns:
        Pair of the class of each other point, an int array `(N - C,)`, and its score, a float array
        `(N - C,)`.
    """
    from scipy import sparse

    count = graph.shape[0]
    system = (sparse.eye_array(count, format="csr") - alpha * graph).tocsr()
    best_scores = np.full(count - num_classes, -np.inf)
    labels = np.zeros(count - num_classes, "int32")
    for label in range(num_classes):
        known = np.zeros(count)
        known[label] = 1.0
        scores, _ = sparse.linalg.cg(system, known, rtol=1e-6, maxiter=MAX_ITERATIONS)
        is_better = scores[num_classes:] > best_scores
        labels[is_better] = label
        best_scores = np.maximum(best_scores, scores[num_classes:])
    return labels, best_scores


def pseudo_labels(text, images, directions=None, num_neighbors=20, alpha=0.99):
    """Returns the classes of images from the embeddings of both images and classes.

    Args:
        text: `(C, D)`, the embedding of each class, of unit length.
        images: `(N, D)`, embeddings of unit length.
        directions: Basis from `text_directions`. None for no projection.
        num_neighbors: Int >= 1, see `neighbor_graph`. None to use the nearest class instead.
        alpha: See `propagate`.

    Returns:
        Int array `(N,)`.
    """
    if directions is not None:
        # Cosines of these coordinates are those of the projected rows.
        text, images = normalize_rows(text @ directions), normalize_rows(images @ directions)
    if num_neighbors is None:
        return np.argmax(images @ text.T, axis=1).astype("int32")
    graph = neighbor_graph(np.concatenate([text, images]), num_neighbors)
    return propagate(graph, len(text), alpha)[0]


def centroids(images, labels, previous):
    """Returns the mean direction of the images of each class.

    Args:
        images: `(N, D)`, embeddings.
        labels: Int array `(N,)`, their classes.
        previous: `(C, D)`, the centroids returned for classes without images.

    Returns:
        Array `(C, D)`, rows of unit length.
    """
    return np.stack(
        [
            normalize_rows(images[labels == label].mean(axis=0, keepdims=True))[0]
            if np.any(labels == label)
            else previous_centroid
            for label, previous_centroid in enumerate(previous)
        ]
    )
