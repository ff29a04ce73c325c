"""Pictures to look at: what views do to images, how a run went, what its features are like."""

import numpy as np

from keras_ssl.numerics import normalize_rows

MAP_IMAGES = 2000  # t-SNE of more takes minutes and shows no more


def plot_views(images, views, path, draws=2, seed=0, names=None):
    """Draws images in the first column, and random views of them in the others.

    Args:
        images: Array `(N, H, W, C)`, uint8 or float 0..1; a row each.
        views: Sequence of views, such as `keras_ssl.views.simclr(32)`.
        path: File to write, `.png`.
        draws: Int, how often each view is drawn.
        seed: Int.
        names: Sequence of strings, what each view is called; None for "view 1" and so on.
    """
    names = names or [f"view {i + 1}" for i in range(len(views))]
    columns = [("image", np.asarray(images))]
    for draw in range(draws):
        for i, view in enumerate(views):
            made = np.asarray(view(images, (seed + draw, i)))
            if made.ndim == 2:  # a mask of patches: white for those that are not seen
                made = made.reshape(-1, *view.grid, 1).astype("float32")
            columns.append((names[i], made))
    plot_images(columns, path)


def plot_images(columns, path):
    """Draws images side by side.

    Args:
        columns: Sequence of pairs of a title and an array `(N, H, W, C)`, uint8 or float 0..1; a
            row for each image.
        path: File to write, `.png`.
    """
    rows = len(columns[0][1])
    figure = new_figure(1.1 * len(columns), 1.1 * rows)
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for column, (title, shown) in enumerate(columns):
        for row, image in enumerate(shown):
            _show(axes[row, column], image)
        axes[0, column].set_title(title, fontsize=8)
    save_figure(figure, path)


def plot_history(history, path):
    """Draws each logged quantity over the epochs.

    Args:
        history: Dict of lists of numbers, as `fit(...).history`; NaN is left out.
        path: File to write, `.png`. `val_` quantities share the plot of their own kind.

    Raises:
        ValueError: If `history` holds nothing.
    """
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history if name != "epoch"))
    if not names:
        raise ValueError("`history` holds no quantity to draw.")
    rows = -(-len(names) // 4)
    columns = -(-len(names) // rows)
    figure = new_figure(3.6 * columns, 2.8 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.remove()
    for axis, name in zip(axes, names, strict=False):
        for label in (name, f"val_{name}"):
            values = np.array(history.get(label, []), "float64")
            known = np.isfinite(values)
            if known.any():
                marker = "." if known.sum() < 30 else None  # one value alone is no line
                epochs = np.arange(1, len(values) + 1)
                axis.plot(epochs[known], values[known], marker=marker, label=label)
        if f"val_{name}" in history:
            axis.legend(fontsize=8)
        axis.set_title(name.replace("_", " "), fontsize=10)
        axis.set_xlabel("epoch", fontsize=8)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    save_figure(figure, path)


def plot_tsne(features, labels, path, seed=0):
    """Draws features in two dimensions by t-SNE, a color for each class.

    Args:
        features: Array `(N, D)`, N >= 3; of more than 2,000 rows, a random 2,000 are shown.
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
        raise ValueError(f"`features` must have three rows or more, received {len(features)}.")
    rows = np.random.default_rng(seed).permutation(len(features))[:MAP_IMAGES]
    unit = normalize_rows(np.asarray(features, "float32"))[rows]
    perplexity = min(30.0, (len(rows) - 1) / 3)
    start = "pca" if unit.shape[1] > 1 else "random"
    with threadpool_limits(1):  # threads that wait for a core others use take far longer
        at = TSNE(random_state=seed, perplexity=perplexity, init=start).fit_transform(unit)
    figure = new_figure(6, 5.4)
    axis = figure.subplots()
    classes = np.unique(labels) if labels is not None else []
    if 0 < len(classes) <= 20:
        for index, name in enumerate(classes):
            here = at[np.asarray(labels)[rows] == name]
            axis.scatter(*here.T, s=8, color=_color(index, len(classes)), label=str(name))
        axis.legend(title="class", fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    else:
        axis.scatter(*at.T, s=8, c=None if labels is None else np.asarray(labels)[rows])
    axis.set_axis_off()
    axis.set_title(f"t-SNE of the features of {len(rows)} images", fontsize=10)
    save_figure(figure, path)


def plot_nearest_neighbors(queries, memory, path, count=8):
    """Draws images in the first column, and beside each its nearest by cosine similarity.

    Args:
        queries: `(images, features, labels)`, arrays of equal length; labels may be None. A row
            each.
        memory: The same of the images to search.
        path: File to write, `.png`. With labels, a neighbor of another class is framed in red.
        count: Int >= 1, neighbors to show; capped at the number of images to search.
    """
    images, features, labels = queries
    found_in, memory_features, memory_labels = memory
    known = labels is not None and memory_labels is not None
    count = min(count, len(found_in))
    similarity = (
        normalize_rows(np.asarray(features, "float32"))
        @ normalize_rows(np.asarray(memory_features, "float32")).T
    )
    nearest = np.argsort(-similarity, axis=1)[:, :count]
    figure = new_figure(1.1 * (count + 1), 1.1 * len(images))
    axes = figure.subplots(len(images), count + 1, squeeze=False)
    for row, image in enumerate(images):
        _show(axes[row, 0], image)
        for column, index in enumerate(nearest[row]):
            axis = axes[row, column + 1]
            _show(axis, found_in[index])
            if known and memory_labels[index] != labels[row]:
                axis.set_axis_on()
                axis.set_xticks([])
                axis.set_yticks([])
                for edge in axis.spines.values():
                    edge.set(color="tab:red", linewidth=2.5)
    axes[0, 0].set_title("query", fontsize=8)
    axes[0, 1].set_title("nearest", fontsize=8)
    if known:
        figure.supxlabel("red frame: of another class than the query", fontsize=8)
    save_figure(figure, path)


def new_figure(width, height):
    """A figure of that many inches, to be saved."""
    from matplotlib.figure import Figure  # without pyplot: no window, nothing global

    return Figure(figsize=(max(2.0, width), max(2.0, height)), layout="constrained")


def _show(axis, image):
    image = np.asarray(image)
    if image.shape[-1] == 1:
        axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
    else:
        axis.imshow(image if image.dtype == np.uint8 else np.clip(image, 0, 1))
    axis.set_axis_off()


def save_figure(figure, path):
    """Writes a figure."""
    figure.savefig(path, dpi=110)


def _color(index, classes):
    from matplotlib import colormaps

    # The colors of tab20 come in pairs that look alike.
    return colormaps["tab10" if classes <= 10 else "tab20"](index)
