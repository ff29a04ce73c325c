"""A matrix of similarities between images and texts."""

import numpy as np

from keras_ssl.evaluation.plots.figures import new_figure, save_figure
from keras_ssl.numerics import normalize_rows


def plot_similarity_matrix(images, texts, names, path):
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
    similar = (
        normalize_rows(np.asarray(texts, "float32"))
        @ normalize_rows(np.asarray(encoded, "float32")).T
    )
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
    save_figure(figure, path)
    return similar
