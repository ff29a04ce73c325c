"""Plots of features in two dimensions."""

import numpy as np

from keras_ssl._types import PathLike, Tensor
from keras_ssl.evaluation.plots._figure import new_figure, save_figure
from keras_ssl.numerics import normalize_rows

MAX_POINTS = 2000  # t-SNE of more points takes minutes and is no clearer
MAX_LEGEND_CLASSES = 20  # the number of colors in tab20


def plot_tsne(features: Tensor, labels: Tensor | None, path: PathLike, seed: int = 0) -> None:
    """Plots features in two dimensions by t-SNE, with one color for each class.

    Args:
        features: Array `(N, D)`, N >= 3. A random 2,000 rows are plotted if there are more.
        labels: Integers `(N,)`, or None.
        path: File to write, `.png`.
        seed: Int.

    Raises:
        ValueError: If there are fewer than three rows.

    Source:
        van der Maaten and Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html; by
        scikit-learn, with its defaults.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if len(features) < 3:
        raise ValueError(f"`features` must have at least three rows. Received {len(features)}.")
    rows = np.random.default_rng(seed).permutation(len(features))[:MAX_POINTS]
    unit = normalize_rows(np.asarray(features, "float32"))[rows]
    perplexity = min(30.0, (len(rows) - 1) / 3)
    initialization = "pca" if unit.shape[1] > 1 else "random"
    tsne = TSNE(random_state=seed, perplexity=perplexity, init=initialization)
    with threadpool_limits(1):  # several threads on busy cores spin and take far longer
        points = tsne.fit_transform(unit)
    title = f"t-SNE of the features of {len(rows):,} images"
    figure = new_figure(6, 5.4)
    axis = figure.subplots()
    classes = np.unique(labels) if labels is not None else np.empty(0)
    if 0 < len(classes) <= MAX_LEGEND_CLASSES:
        for index, name in enumerate(classes):
            class_points = points[np.asarray(labels)[rows] == name]
            axis.scatter(*class_points.T, s=8, color=_color(index, len(classes)), label=str(name))
        axis.legend(title="class", fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    elif labels is not None:
        axis.scatter(*points.T, s=8, c=np.asarray(labels)[rows])
        title += f", colored by class ({len(classes)} classes)"
    else:
        axis.scatter(*points.T, s=8)
    axis.set_axis_off()
    axis.set_title(title, fontsize=10)
    save_figure(figure, path)


def _color(index, num_classes):
    from matplotlib import colormaps

    # tab20 consists of pairs of similar colors, so it is used only if tab10 has too few.
    return colormaps["tab10" if num_classes <= 10 else "tab20"](index)
