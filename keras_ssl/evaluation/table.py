"""Tables that compare features by kNN, linear probe and low-shot probe."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_ssl._types import Tensor
from keras_ssl.evaluation.metrics import (
    knn_from_features,
    linear_probe_from_features,
    low_shot_probe,
)


def probe_table(
    features: Mapping[str, tuple[Tensor, Tensor]],
    train_labels: Tensor,
    test_labels: Tensor,
    labels_per_class: Sequence[int] = (1, 5),
    seeds: int = 5,
    k: int = 200,
) -> list[dict[str, Any]]:
    """Compares several features of the same images.

    Args:
        features: Dict from a name to arrays `(train (N, D), test (M, D))`.
        train_labels: Integers `(N,)`.
        test_labels: Integers `(M,)`.
        labels_per_class: Sequence of ints, the numbers of labels of the low-shot columns. Numbers
            above the size of the smallest class are left out.
        seeds: Int, the number of draws of labels to average over.
        k: Int, the number of neighbors.

    Returns:
        List of dicts, one for each name, with the keys `features` (the name), `knn`, `linear`, and
        for each number n `labels_n` and `labels_n_std`: the mean and standard deviation over the
        draws. Accuracies are 0..1.
    """
    smallest_class = np.unique(train_labels, return_counts=True)[1].min()
    rows = []
    for name, (train, test) in features.items():
        data = (train, train_labels, test, test_labels)
        row = {
            "features": name,
            "knn": knn_from_features(*data, k=k),
            "linear": linear_probe_from_features(*data),
        }
        for n in labels_per_class:
            if n <= smallest_class:
                accuracies = low_shot_probe(*data, labels_per_class=n, seeds=range(seeds))
                row[f"labels_{n}"] = float(accuracies.mean())
                row[f"labels_{n}_std"] = float(accuracies.std())
        rows.append(row)
    return rows


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Formats the rows of `probe_table` as aligned columns, with accuracies in percent.

    Args:
        rows: The result of `probe_table`.

    Returns:
        String of several lines.
    """
    low_shot = [name for name in rows[0] if name.startswith("labels_") and "std" not in name]
    titles = ["features", "kNN", "linear"]
    titles += [f"{name.removeprefix('labels_')} per class" for name in low_shot]
    lines = [titles]
    for row in rows:
        line = [row["features"], f"{100 * row['knn']:.1f}", f"{100 * row['linear']:.1f}"]
        line += [f"{100 * row[name]:.1f} ± {100 * row[f'{name}_std']:.1f}" for name in low_shot]
        lines.append(line)
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )
