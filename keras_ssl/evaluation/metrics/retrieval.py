"""How often the right one is among the nearest: images by text, and text by images."""

import numpy as np

from keras_ssl.evaluation.checks import check_count, numbers
from keras_ssl.evaluation.metrics.nearest_neighbors import nearest
from keras_ssl.evaluation.plots.figures import new_figure, save


def recall_at_k(queries, memory, k=1, same=None):
    """Share of queries of which a right answer is among the k nearest by cosine.

    Args:
        queries: Float array `(N, D)`, encodings of images, say.
        memory: Float array `(N, D)`, of their captions: row i answers query i.
        k: Int >= 1; capped at N.
        same: Sequence of N labels, or captions: rows of equal ones answer each other. None where
            row i alone answers query i.

    Returns:
        Float in 0..1.

    Raises:
        ValueError: If the shapes do not fit, or `k` is below 1.
    """
    queries = numbers("queries", queries, "float32")
    memory = numbers("memory", memory, "float32")
    check_count(k=k)
    if queries.ndim != 2 or queries.shape != memory.shape or not len(queries):
        raise ValueError(
            "`queries` and `memory` must be of one shape (N, D), N > 0; received "
            f"{queries.shape} and {memory.shape}."
        )
    groups = np.arange(len(memory))
    if same is not None:
        same = np.asarray(same)
        if same.shape != groups.shape or same.dtype.kind not in "iubSU":
            raise ValueError(
                f"`same` has {same.size} labels for {len(memory)} rows, of dtype {same.dtype} and "
                f"shape {same.shape}: there must be one for each row, ints or strings."
            )
        groups = np.unique(same, return_inverse=True)[1]
    k, right = min(k, len(memory)), 0
    for rows, places, _ in nearest(queries, memory, k):
        right += int(np.any(groups[places] == groups[rows, None], axis=1).sum())
    return right / len(queries)


def similarity_matrix(images, texts, names, path):
    """Draws the cosine similarities of images (columns) with texts (rows).

    Args:
        images: Pair of the images `(N, H, W, C)` and their encodings `(N, D)`.
        texts: Float array `(M, D)`, encodings of text.
        names: M strings, the texts.
        path: File to write, `.png`.

    Returns:
        Float array `(M, N)`.
    """
    shown, encoded = images
    similar = _unit(np.asarray(texts, "float32")) @ _unit(np.asarray(encoded, "float32")).T
    rows, columns = similar.shape
    figure = new_figure(2.5 + 0.62 * columns, 1.4 + 0.4 * rows)
    grid = figure.add_gridspec(2, columns, height_ratios=[1, max(1, 0.6 * rows)])
    for column, image in enumerate(shown):
        axis = figure.add_subplot(grid[0, column])
        axis.imshow(np.squeeze(image), cmap="gray" if image.shape[-1] == 1 else None)
        axis.set_axis_off()
    axis = figure.add_subplot(grid[1, :])
    drawn = axis.imshow(similar, cmap="viridis", aspect="auto")
    axis.set_yticks(range(rows), names, fontsize=7)
    axis.set_xticks([])
    middle = (similar.min() + similar.max()) / 2
    for (row, column), value in np.ndenumerate(similar):
        color = "white" if value < middle else "black"
        axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=color)
    figure.colorbar(drawn, ax=axis, label="cosine", shrink=0.8)
    save(figure, path)
    return similar


def _unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
