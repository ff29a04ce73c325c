"""What a run leaves to look at: a table against its baselines, and pictures."""

import json
from pathlib import Path

import numpy as np

from keras_ssl.evaluation.features import extract_features, read_images
from keras_ssl.evaluation.plots import figures
from keras_ssl.evaluation.table import format_table, probe_table

SEARCHED = 10_000  # training images that neighbors are shown from


def baselines(untrained, train, test):
    """Features to compare a trained encoder with: raw pixels and the untrained encoder.

    Args:
        untrained: The model before `fit`.
        train: Data set with labels; see `extract_features`. It gives its images in one order.
        test: Data set with labels, likewise.

    Returns:
        Dict from a name to `((train features, labels), (test features, labels))`. Pixels have the
        mean of the training images taken off: being all positive they would all look alike to
        kNN.
    """
    (pixels, labels), (test_pixels, test_labels) = (
        extract_features(None, images) for images in (train, test)
    )
    mean = pixels.mean(0)
    return {
        "raw pixels": ((pixels - mean, labels), (test_pixels - mean, test_labels)),
        "untrained encoder": (
            extract_features(untrained, train),
            extract_features(untrained, test),
        ),
    }


def report(model, features, train, test, folder, history=None, views=None, average=None):
    """Writes what there is to look at of a trained model, and returns its table.

    Args:
        model: The trained model.
        features: What `baselines` returned; or an empty dict.
        train: Data set with labels, or without: then there is no table.
        test: Data set, likewise.
        folder: Folder to write to, made if missing: `table.txt`, its numbers in `results.json`,
            `curves.png`, `views.png`, `map.png`, `neighbors.png`.
        history: Dict of lists for the curves, as `fit(...).history`, or None.
        views: Sequence of views to show, or None.
        average: Sequence of views to measure the mean features of as well, or None; see
            `extract_features`.

    Returns:
        String, the table; a note where labels are missing.

    Raises:
        ValueError: If a data set gives its images in another order each time.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    trained = (extract_features(model, train), extract_features(model, test))
    (train_features, train_labels), (test_features, test_labels) = trained
    few, few_labels = read_images(test, 8)
    memory, memory_labels = read_images(train, SEARCHED)
    seen = [*features.values(), ((None, memory_labels), (None, few_labels))]
    for each in seen:
        _check_order(train=(each[0][1], train_labels), test=(each[1][1], test_labels))
    if views is not None:
        figures.plot_views(few, views, folder / "views.png")
    if history:
        figures.plot_history(history, folder / "curves.png")
    if len(test_features) >= 3:
        figures.plot_tsne(test_features, test_labels, folder / "map.png")
    figures.plot_nearest_neighbors(
        (few, test_features[: len(few)], few_labels),
        (memory, train_features[: len(memory)], memory_labels),
        folder / "neighbors.png",
    )
    if train_labels is None or test_labels is None or len(np.unique(train_labels)) < 2:
        return "No labels of two classes or more: nothing to measure accuracy with."
    measured = {**features, "trained encoder": trained}
    if average is not None:
        measured["trained, mean of views"] = tuple(
            extract_features(model, images, views=average) for images in (train, test)
        )
    rows = {name: (of_train, of_test) for name, ((of_train, _), (of_test, _)) in measured.items()}
    numbers = probe_table(rows, train_labels, test_labels)
    (folder / "results.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    table = format_table(numbers)
    (folder / "table.txt").write_text(table + "\n", encoding="utf-8")
    return table


def _check_order(**pairs):
    """Raises ValueError where labels differ from those of another pass over the same data."""
    for name, (labels, again) in pairs.items():
        if labels is not None and not np.array_equal(labels, again[: len(labels)]):
            raise ValueError(
                f"`{name}` gives its images in another order each time: shuffle it once only, or "
                "not at all."
            )
