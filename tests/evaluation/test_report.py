import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

from keras_ssl.evaluation import baselines, extract_features, knn_from_features, report
from keras_ssl.evaluation.table import format_table


@pytest.fixture
def model():
    images = keras.Input((8, 8, 1))
    return keras.Model(images, layers.Dense(5)(layers.Flatten()(images)))


@pytest.fixture
def arrays(rng):
    """Three classes of different brightness."""
    labels = np.arange(60) % 3
    images = rng.integers(0, 80, (60, 8, 8, 1)) + 80 * labels[:, None, None, None]
    images = images.astype("uint8")
    return (images[:40], labels[:40]), (images[40:], labels[40:])


def as_dataset(arrays):
    return tf.data.Dataset.from_tensor_slices(arrays)


def test_report_writes_a_table_and_plots(model, arrays, tmp_path):
    folder = tmp_path / "new" / "folder"
    features = baselines(model, *map(as_dataset, arrays))
    history = {"loss": [2.0, 1.0], "knn_accuracy": [float("nan"), 0.5]}
    views = (lambda images, seed: images / 255.0, lambda images, seed: 1 - images / 255.0)
    table = report(model, features, *map(as_dataset, arrays), folder, history, views)
    assert (folder / "table.txt").read_text(encoding="utf-8") == table + "\n"
    lines = table.splitlines()
    names = ["features", "raw pixels", "untrained encoder", "trained encoder"]
    assert [line[:17].strip() for line in lines] == names
    # The untrained and the trained model are the same here.
    assert lines[2].removeprefix(names[2]) == lines[3].removeprefix(names[3] + "  ")
    plots = ("views", "curves", "map", "neighbors")
    assert {file.stem for file in folder.iterdir()} == {"table", "results", *plots}
    for name in plots:
        assert np.asarray(Image.open(folder / f"{name}.png"))[..., :3].std() > 5


def test_results_json_holds_the_numbers_of_the_table(model, arrays, tmp_path):
    features = baselines(model, *map(as_dataset, arrays))
    table = report(model, features, *map(as_dataset, arrays), tmp_path)
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert format_table(rows) == table
    (train, labels), (test, test_labels) = features["untrained encoder"]
    assert rows[1]["knn"] == knn_from_features(train, labels, test, test_labels)
    assert [row["features"] for row in rows] == [*features, "trained encoder"]


@pytest.mark.slow
def test_report_has_a_row_for_the_mean_features_of_views(model, arrays, tmp_path):
    gray = (lambda images, seed: 0 * (images / 255.0) + 0.5,)  # no information is left
    same = (lambda images, seed: images / 255.0,) * 2
    for views, is_worse in ((same, False), (gray, True)):
        table = report(model, {}, *map(as_dataset, arrays), tmp_path, average=views)
        assert [line[:22].strip() for line in table.splitlines()[1:]] == [
            "trained encoder",
            "trained, mean of views",
        ]
        images, mean = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
        assert (mean["linear"] < images["linear"]) is is_worse
        if not is_worse:
            assert {**mean, "features": images["features"]} == images


def test_baselines_are_centered_pixels_and_untrained_features(model, arrays):
    (train, train_labels), (test, test_labels) = arrays
    features = baselines(model, *arrays)
    (pixels, labels), (test_pixels, labels_of_test) = features["raw pixels"]
    mean = train.reshape(40, -1).mean(0) / 255
    np.testing.assert_allclose(pixels, train.reshape(40, -1) / 255 - mean, atol=1e-6)
    np.testing.assert_allclose(test_pixels, test.reshape(20, -1) / 255 - mean, atol=1e-6)
    np.testing.assert_array_equal(labels, train_labels)
    np.testing.assert_array_equal(labels_of_test, test_labels)
    untrained = features["untrained encoder"]
    np.testing.assert_array_equal(untrained[1][0], extract_features(model, test)[0])


def test_report_without_labels_writes_plots_and_returns_a_note(model, arrays, tmp_path):
    train, test = arrays[0][0], arrays[1][0]
    note = report(model, baselines(model, train, test), train, test, tmp_path)
    assert note.startswith("No labels")
    assert {file.name for file in tmp_path.iterdir()} == {"map.png", "neighbors.png"}


def test_report_of_two_test_images_has_no_tsne_plot(model, arrays, tmp_path):
    train, test = arrays[0][0], arrays[1][0][:2]
    report(model, baselines(model, train, test), train, test, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"neighbors.png"}


def test_report_rejects_a_dataset_that_changes_its_order(model, arrays, tmp_path):
    shuffled = as_dataset(arrays[0]).shuffle(40)
    features = baselines(model, shuffled, as_dataset(arrays[1]))
    with pytest.raises(ValueError, match="`train` returns its images in another order"):
        report(model, features, shuffled, as_dataset(arrays[1]), tmp_path)
