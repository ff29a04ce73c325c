"""Plots of images: views, nearest neighbors, and columns of any images."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_ssl._types import PathLike, Tensor, Views
from keras_ssl.evaluation.plots._figure import new_figure, save_figure, show_image
from keras_ssl.numerics import normalize_rows

CELL_INCHES = 1.1  # width and height of an image


def plot_views(
    images: Tensor,
    views: Views,
    path: PathLike,
    draws: int = 2,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> None:
    """Plots images in the first column and random views of them in the other columns.

    Args:
        images: Array `(N, H, W, C)`, uint8 or float 0..1; one row each.
        views: Sequence of views, such as `keras_ssl.views.simclr(32)`. Masks of patches are drawn
            with hidden patches in white.
        path: File to write, `.png`.
        draws: Int, how many times each view is drawn.
        seed: Int.
        names: Sequence of strings, the names of the views. None for "view 1", "view 2", ...
    """
    names = names or [f"view {i + 1}" for i in range(len(views))]
    columns = [("image", np.asarray(images))]
    for draw in range(draws):
        for i, view in enumerate(views):
            output = np.asarray(view(images, (seed + draw, i)))
            if output.ndim == 2:  # a mask of patches
                mask: Any = view  # a RandomMask or BlockMask, which has a grid
                output = output.reshape(-1, *mask.grid, 1).astype("float32")
            title = names[i] if draws == 1 else f"{names[i]}, draw {draw + 1}"
            columns.append((title, output))
    plot_images(columns, path)


def plot_images(columns: Sequence[tuple[str, Tensor]], path: PathLike) -> None:
    """Plots columns of images side by side.

    Args:
        columns: Sequence of pairs of a title and an array `(N, H, W, C)`, uint8 or float 0..1; one
            row for each image.
        path: File to write, `.png`.
    """
    num_rows = len(columns[0][1])
    figure = new_figure(CELL_INCHES * len(columns), CELL_INCHES * num_rows)
    axes = figure.subplots(num_rows, len(columns), squeeze=False)
    for column, (title, images) in enumerate(columns):
        for row, image in enumerate(images):
            show_image(axes[row, column], image)
        axes[0, column].set_title(title, fontsize=8)
    save_figure(figure, path)


def plot_nearest_neighbors(
    queries: tuple[Tensor, Tensor, Tensor | None],
    gallery: tuple[Tensor, Tensor, Tensor | None],
    path: PathLike,
    num_neighbors: int = 8,
) -> None:
    """Plots queries in the first column and their nearest neighbors by cosine similarity.

    Args:
        queries: `(images, features, labels)`, arrays of equal length; labels may be None. One row
            each.
        gallery: `(images, features, labels)` of the images to search. If both have labels,
            neighbors of another class than the query get a red frame.
        path: File to write, `.png`.
        num_neighbors: Int >= 1, capped at the size of the gallery.
    """
    query_images, query_features, query_labels = queries
    gallery_images, gallery_features, gallery_labels = gallery
    has_labels = query_labels is not None and gallery_labels is not None
    num_neighbors = min(num_neighbors, len(gallery_images))
    similarity = (
        normalize_rows(np.asarray(query_features, "float32"))
        @ normalize_rows(np.asarray(gallery_features, "float32")).T
    )
    nearest = np.argsort(-similarity, axis=1)[:, :num_neighbors]
    num_rows, num_columns = len(query_images), num_neighbors + 1
    figure = new_figure(CELL_INCHES * num_columns, CELL_INCHES * num_rows)
    axes = figure.subplots(num_rows, num_columns, squeeze=False)
    for row, image in enumerate(query_images):
        show_image(axes[row, 0], image)
        for column, index in enumerate(nearest[row], start=1):
            show_image(axes[row, column], gallery_images[index])
            if query_labels is None or gallery_labels is None:
                continue
            if gallery_labels[index] != query_labels[row]:
                _draw_frame(axes[row, column], "tab:red")
    axes[0, 0].set_title("query", fontsize=8)
    for column in range(1, num_columns):
        axes[0, column].set_title(f"neighbor {column}", fontsize=8)
    if has_labels:
        figure.supxlabel("red frame: another class than the query", fontsize=8)
    save_figure(figure, path)


def _draw_frame(axis, color):
    axis.set_axis_on()
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set(color=color, linewidth=2.5)
