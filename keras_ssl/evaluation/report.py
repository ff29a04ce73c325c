"""The report of a trained model: a table against baselines, and plots."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from keras_ssl._types import Dataset, PathLike, Views
from keras_ssl.evaluation import plots
from keras_ssl.evaluation.datasets import read_images
from keras_ssl.evaluation.features import extract_features
from keras_ssl.evaluation.table import format_table, probe_table

NUM_QUERIES = 8  # test images in the plots of views and neighbors
GALLERY_SIZE = 10_000  # training images that are searched for neighbors

LabeledFeatures = tuple[np.ndarray, np.ndarray | None]


def baselines(
    untrained: keras.Model, train: Dataset, test: Dataset
) -> dict[str, tuple[LabeledFeatures, LabeledFeatures]]:
    """Features to compare a trained encoder with: raw pixels and the untrained encoder.

    Args:
        untrained: The model before `fit`.
        train: Dataset with labels, see `extract_features`. Its images must come in the same order
            in every pass.
        test: Dataset with labels, as `train`.

    Returns:
        Dict from a name to `((train features, labels), (test features, labels))`. The mean of the
        training images is subtracted from the pixels: pixels are all positive, so that without
        this all images would be similar to kNN.
    """
    train_pixels, train_labels = extract_features(None, train)
    test_pixels, test_labels = extract_features(None, test)
    mean = train_pixels.mean(0)
    return {
        "raw pixels": ((train_pixels - mean, train_labels), (test_pixels - mean, test_labels)),
        "untrained encoder": (
            extract_features(untrained, train),
            extract_features(untrained, test),
        ),
    }


def report(
    model: keras.Model,
    features: Mapping[str, tuple[LabeledFeatures, LabeledFeatures]],
    train: Dataset,
    test: Dataset,
    folder: PathLike,
    history: Mapping[str, Sequence[float]] | None = None,
    views: Views | None = None,
    average: Views | None = None,
) -> str:
    """Writes a table and plots of a trained model to a folder, and returns the table.

    Args:
        model: The trained model.
        features: The result of `baselines`, or an empty dict.
        train: Dataset, with labels or without. Without labels there is no table.
        test: Dataset, as `train`.
        folder: Folder to write to, created if missing: `table.txt`, its numbers in
            `results.json`, `curves.png`, `views.png`, `map.png` and `neighbors.png`.
        history: Dict of lists to plot, such as `fit(...).history`, or None.
        views: Sequence of views to plot, or None.
        average: Sequence of views, or None. The table gets another row for the mean features of
            these views; see `extract_features`.

    Returns:
        String: the table, or a note if there are no labels.

    Raises:
        ValueError: If a dataset returns its images in another order in each pass.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    trained = (extract_features(model, train), extract_features(model, test))
    (train_features, train_labels), (test_features, test_labels) = trained
    queries, query_labels = read_images(test, NUM_QUERIES)
    gallery, gallery_labels = read_images(train, GALLERY_SIZE)
    for (_, labels), (_, labels_of_test) in features.values():
        _check_same_order(train=(labels, train_labels), test=(labels_of_test, test_labels))
    _check_same_order(train=(gallery_labels, train_labels), test=(query_labels, test_labels))
    if views is not None:
        plots.plot_views(queries, views, folder / "views.png")
    if history:
        plots.plot_history(history, folder / "curves.png")
    if len(test_features) >= 3:
        plots.plot_tsne(test_features, test_labels, folder / "map.png")
    plots.plot_nearest_neighbors(
        (queries, test_features[: len(queries)], query_labels),
        (gallery, train_features[: len(gallery)], gallery_labels),
        folder / "neighbors.png",
    )
    if train_labels is None or test_labels is None or len(np.unique(train_labels)) < 2:
        return "No labels of two or more classes: there is no accuracy to report."
    compared = {**features, "trained encoder": trained}
    if average is not None:
        compared["trained, mean of views"] = (
            extract_features(model, train, views=average),
            extract_features(model, test, views=average),
        )
    rows = {name: (train_x, test_x) for name, ((train_x, _), (test_x, _)) in compared.items()}
    results = probe_table(rows, train_labels, test_labels)
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    table = format_table(results)
    (folder / "table.txt").write_text(table + "\n", encoding="utf-8")
    return table


def _check_same_order(**labels):
    """Raises ValueError unless the first labels of two passes over a dataset agree."""
    for name, (first_pass, second_pass) in labels.items():
        if first_pass is not None and not np.array_equal(
            first_pass, second_pass[: len(first_pass)]
        ):
            raise ValueError(
                f"`{name}` returns its images in another order in each pass. Shuffle it with "
                "reshuffle_each_iteration=False, or do not shuffle it."
            )
