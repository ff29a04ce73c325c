"""Plots of the similarity of images and texts."""

from collections.abc import Sequence

import numpy as np

from keras_ssl._types import PathLike, Tensor
from keras_ssl.evaluation.plots._figure import new_figure, save_figure, show_image
from keras_ssl.numerics import normalize_rows


def plot_similarity_matrix(
    images: tuple[Tensor, Tensor], texts: Tensor, names: Sequence[str], path: PathLike
) -> np.ndarray:
    """Plots the cosine similarity of texts (rows) and images (columns).

    Args:
        images: Pair of images `(N, H, W, C)`, uint8 or float 0..1, and their encodings `(N, D)`.
        texts: Float array `(M, D)`, the encodings of the texts.
        names: Sequence of M strings, the texts.
        path: File to write, `.png`.

    Returns:
        Float array `(M, N)`, the similarities.
    """
    pixels, encodings = images
    similarity = (
        normalize_rows(np.asarray(texts, "float32"))
        @ normalize_rows(np.asarray(encodings, "float32")).T
    )
    num_texts, num_images = similarity.shape
    figure = new_figure(2.5 + 0.62 * num_images, 1.4 + 0.4 * num_texts)
    grid = figure.add_gridspec(2, num_images, height_ratios=[1, max(1, 0.6 * num_texts)])
    for column, image in enumerate(pixels):
        show_image(figure.add_subplot(grid[0, column]), image)
    axis = figure.add_subplot(grid[1, :])
    heatmap = axis.imshow(similarity, cmap="viridis", aspect="auto")
    axis.set_yticks(range(num_texts), names, fontsize=7)
    axis.set_xticks([])
    middle = (similarity.min() + similarity.max()) / 2
    for (row, column), value in np.ndenumerate(similarity):
        color = "white" if value < middle else "black"
        axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=color)
    figure.colorbar(heatmap, ax=axis, label="cosine similarity", shrink=0.8)
    save_figure(figure, path)
    return similarity
