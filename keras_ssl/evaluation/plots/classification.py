"""Plots of a classifier's predictions."""

import numpy as np

from keras_ssl._types import PathLike, Tensor
from keras_ssl.evaluation.plots._figure import new_figure, save_figure

MAX_LABELED_CLASSES = 20  # with more classes, cells and axes are not labeled one by one
MIN_SHOWN_PERCENT = 0.5  # smaller percentages would be printed as 0


def plot_confusion_matrix(logits: Tensor, labels: Tensor, path: PathLike) -> np.ndarray:
    """Plots how often each true class (row) is predicted as each class (column).

    Cells are in percent of the row.

    Args:
        logits: Array `(N, K)`.
        labels: Ints `(N,)`, 0..K-1.
        path: File to write, `.png`.

    Returns:
        Int array `(K, K)` of counts.

    Raises:
        ValueError: If there are no images or the shapes do not match.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != (len(logits),) or not len(labels):
        raise ValueError(
            "`logits` must have shape (N, K) and `labels` shape (N,), N > 0. Received shapes "
            f"{logits.shape} and {labels.shape}."
        )
    num_classes = logits.shape[1]
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(10.0, 2 + 0.42 * num_classes)
    figure = new_figure(side + 0.6, side)
    axis = figure.subplots()
    image = axis.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    if num_classes <= MAX_LABELED_CLASSES:
        for (row, column), value in np.ndenumerate(percent):
            if value >= MIN_SHOWN_PERCENT:
                color = "white" if value > 60 else "black"
                style = {"ha": "center", "va": "center", "fontsize": 7, "color": color}
                axis.text(column, row, f"{value:.0f}", **style)
        axis.set_xticks(range(num_classes))
        axis.set_yticks(range(num_classes))
    axis.set_xlabel("predicted class")
    axis.set_ylabel("true class")
    accuracy = 100 * np.trace(counts) / counts.sum()
    axis.set_title(f"accuracy {accuracy:.1f} % on {counts.sum():,} images", fontsize=10)
    figure.colorbar(image, ax=axis, label="% of the true class", shrink=0.8)
    save_figure(figure, path)
    return counts


def plot_pseudo_label_counts(
    logits: Tensor, path: PathLike, threshold: float = 0.95, labels: Tensor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Plots how many images are predicted as each class: all of them, and the confident ones.

    Args:
        logits: Array `(N, K)`.
        path: File to write, `.png`.
        threshold: Float 0..1, the confidence threshold.
        labels: Ints `(N,)`, the true labels if they are known. Their counts are plotted too.

    Returns:
        Pair of int arrays `(K,)`: the counts of the confident predictions, and of all predictions.

    Raises:
        ValueError: If `logits` is not `(N, K)`.
    """
    logits = np.asarray(logits, "float64")
    if logits.ndim != 2 or not len(logits):
        raise ValueError(f"`logits` must have shape (N, K), N > 0. Received shape {logits.shape}.")
    num_classes = logits.shape[1]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    is_confident = exponentials.max(axis=1) / exponentials.sum(axis=1) >= threshold
    predicted = logits.argmax(axis=1)
    all_counts = np.bincount(predicted, minlength=num_classes)
    confident_counts = np.bincount(predicted[is_confident], minlength=num_classes)
    figure = new_figure(min(12.0, 2.5 + 0.45 * num_classes), 3)
    axis = figure.subplots()
    classes = np.arange(num_classes)
    axis.bar(classes, all_counts, color="tab:blue", alpha=0.35, label="all predictions")
    axis.bar(classes, confident_counts, color="tab:blue", label=f"confidence {threshold:g} or more")
    if labels is not None:
        true_counts = np.bincount(np.asarray(labels), minlength=num_classes)[:num_classes]
        edges = np.arange(num_classes + 1) - 0.5
        steps = [*true_counts, true_counts[-1]]
        axis.step(edges, steps, "k", where="post", label="true labels", lw=1)
    if num_classes <= MAX_LABELED_CLASSES:
        axis.set_xticks(classes)
    else:
        axis.xaxis.get_major_locator().set_params(integer=True)
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.margins(x=0.02)
    axis.set_xlabel("class")
    axis.set_ylabel("number of images")
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    axis.set_title(f"pseudo-labels of {len(logits):,} images", fontsize=10)
    save_figure(figure, path)
    return confident_counts, all_counts
