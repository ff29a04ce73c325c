"""One table of what features are worth: neighbors, all labels, few labels."""

import numpy as np

from keras_ssl.evaluation.metrics.knn import knn_from_features
from keras_ssl.evaluation.metrics.linear_probe import linear_probe_from_features, low_shot_probe


def probe_table(features, train_labels, test_labels, labels_per_class=(1, 5), seeds=5, k=200):
    """Compares several features of the same images.

    Args:
        features: Dict from a name to arrays `(train (N, D), test (M, D))`.
        train_labels: Integers `(N,)`.
        test_labels: Integers `(M,)`.
        labels_per_class: Ints, labels of each class for the few-label columns; a number that the
            smallest class does not have is left out.
        seeds: Int, how many draws of labels are averaged.
        k: Int, neighbors.

    Returns:
        List of dicts, one for each name: `features` (the name), `knn`, `linear`, and for each
        number n `labels_n` and `labels_n_std`, mean and standard deviation over the draws; all
        0..1.
    """
    smallest = np.unique(train_labels, return_counts=True)[1].min()
    rows = []
    for name, (train, test) in features.items():
        sets = (train, train_labels, test, test_labels)
        row = {
            "features": name,
            "knn": knn_from_features(*sets, k=k),
            "linear": linear_probe_from_features(*sets),
        }
        for number in labels_per_class:
            if number <= smallest:
                accuracies = low_shot_probe(*sets, labels_per_class=number, seeds=range(seeds))
                row[f"labels_{number}"] = float(accuracies.mean())
                row[f"labels_{number}_std"] = float(accuracies.std())
        rows.append(row)
    return rows


def format_table(rows):
    """Sets the rows of `probe_table` in columns, accuracy in percent.

    Args:
        rows: What `probe_table` returned.

    Returns:
        String of several lines.
    """
    numbers = [name for name in rows[0] if name.startswith("labels_") and "std" not in name]
    titles = ["features", "kNN", "linear"]
    titles += [f"{name.removeprefix('labels_')} per class" for name in numbers]
    lines = [titles]
    for row in rows:
        line = [row["features"], f"{100 * row['knn']:.1f}", f"{100 * row['linear']:.1f}"]
        line += [f"{100 * row[name]:.1f} ± {100 * row[f'{name}_std']:.1f}" for name in numbers]
        lines.append(line)
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )
