import numpy as np
import pytest

from keras_ssl.evaluation import (
    format_table,
    knn_from_features,
    linear_probe_from_features,
    low_shot_probe,
    probe_table,
)


@pytest.fixture
def data(rng):
    means = rng.normal(size=(3, 5))
    labels = np.arange(90) % 3
    return means[labels] + rng.normal(size=(90, 5)), labels


def test_probe_table_has_the_accuracies_of_the_probes(data, rng):
    x, y = data
    noise = rng.normal(size=x.shape)
    features = {"good": (x[:60], x[60:]), "noise": (noise[:60], noise[60:])}
    rows = probe_table(features, y[:60], y[60:], labels_per_class=(1, 4), seeds=3, k=7)
    assert [row["features"] for row in rows] == ["good", "noise"]
    for row in rows:
        train, test = features[row["features"]]
        arguments = (train, y[:60], test, y[60:])
        assert row["knn"] == knn_from_features(*arguments, k=7)
        assert row["linear"] == linear_probe_from_features(*arguments)
        for n in (1, 4):
            accuracies = low_shot_probe(*arguments, labels_per_class=n, seeds=range(3))
            assert row[f"labels_{n}"] == pytest.approx(np.mean(accuracies))
            assert row[f"labels_{n}_std"] == pytest.approx(np.std(accuracies))
    assert rows[0]["linear"] > rows[1]["linear"]


def test_probe_table_leaves_out_more_labels_than_a_class_has(data):
    x, y = data
    rows = probe_table({"all": (x[:60], x[60:])}, y[:60], y[60:], labels_per_class=(2, 21), seeds=1)
    assert "labels_2" in rows[0]
    assert "labels_21" not in rows[0]


def test_format_table_aligns_percentages_in_columns():
    rows = [
        {"features": "raw pixels", "knn": 1, "linear": 0.5, "labels_1": 0.25, "labels_1_std": 0.01},
        {"features": "ours", "knn": 0.9, "linear": 0.1, "labels_1": 1.0, "labels_1_std": 0.0},
    ]
    assert format_table(rows).splitlines() == [
        "features      kNN  linear  1 per class",
        "raw pixels  100.0    50.0   25.0 ± 1.0",
        "ours         90.0    10.0  100.0 ± 0.0",
    ]
