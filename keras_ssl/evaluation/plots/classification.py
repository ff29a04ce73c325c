"""Pictures of what a classifier says: which classes it confuses, and how often it names each."""

import numpy as np

from keras_ssl.evaluation.plots.figures import new_figure, save_figure

MOST = 20  # classes up to which cells carry their number


def plot_confusion_matrix(logits, labels, path):
    """Draws how often each class (row) was taken for each (column), in percent of the row.

    Args:
        logits: Array `(N, K)`.
        labels: Ints `(N,)`, 0..K-1.
        path: File to write, `.png`.

    Returns:
        Int array `(K, K)`, the counts.

    Raises:
        ValueError: If there is no image or the shapes do not fit.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != (len(logits),) or not len(labels):
        raise ValueError(
            "`logits` must be (N, K) and `labels` (N,), N > 0; received shapes "
            f"{logits.shape} and {labels.shape}."
        )
    classes = logits.shape[1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(10.0, 2 + 0.42 * classes)
    figure = new_figure(side + 0.6, side)
    axis = figure.subplots()
    shown = axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
    if classes <= MOST:
        for (row, column), value in np.ndenumerate(share):
            if value >= 0.5:
                color = "white" if value > 60 else "black"
                place = {"ha": "center", "va": "center", "fontsize": 7, "color": color}
                axis.text(column, row, f"{value:.0f}", **place)
        axis.set_xticks(range(classes))
        axis.set_yticks(range(classes))
    axis.set_xlabel("taken for")
    axis.set_ylabel("class")
    accuracy = 100 * np.trace(counts) / counts.sum()
    axis.set_title(f"{accuracy:.1f} % of {counts.sum()} images right", fontsize=10)
    figure.colorbar(shown, ax=axis, label="% of the class", shrink=0.8)
    save_figure(figure, path)
    return counts


def plot_pseudo_label_counts(logits, path, threshold=0.95, labels=None):
    """Draws how many images are taken for each class, with confidence and in all.

    Args:
        logits: Array `(N, K)`.
        path: File to write, `.png`.
        threshold: Float, the probability that counts as confidence.
        labels: Ints `(N,)` of the same images where they are known: their counts are drawn too.

    Returns:
        Pair of int arrays `(K,)`: with confidence, and in all.

    Raises:
        ValueError: If `logits` is not `(N, K)`.
    """
    logits = np.asarray(logits, "float64")
    if logits.ndim != 2 or not len(logits):
        raise ValueError(f"`logits` must be (N, K), N > 0; received shape {logits.shape}.")
    classes = logits.shape[1]
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    confident = shifted.max(axis=1) / shifted.sum(axis=1) >= threshold
    likeliest = logits.argmax(axis=1)
    every = np.bincount(likeliest, minlength=classes)
    sure = np.bincount(likeliest[confident], minlength=classes)
    figure = new_figure(min(12.0, 2.5 + 0.45 * classes), 3)
    axis = figure.subplots()
    at = np.arange(classes)
    axis.bar(at, every, color="tab:blue", alpha=0.35, label="likeliest class")
    axis.bar(at, sure, color="tab:blue", label=f"with probability {threshold:g} or more")
    if labels is not None:
        true = np.bincount(np.asarray(labels), minlength=classes)[:classes]
        axis.step(
            np.arange(classes + 1) - 0.5, [*true, true[-1]], "k", where="post", label="true", lw=1
        )
    if classes <= MOST:
        axis.set_xticks(at)
    axis.set_xlabel("class")
    axis.set_ylabel("images")
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    axis.set_title(f"pseudo-labels of {len(logits)} images", fontsize=10)
    save_figure(figure, path)
    return sure, every
