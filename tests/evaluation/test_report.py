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
def sets(rng):
    """Three classes of different brightness."""
    labels = np.arange(60) % 3
    images = rng.integers(0, 80, (60, 8, 8, 1)) + 80 * labels[:, None, None, None]
    images = images.astype("uint8")
    return (images[:40], labels[:40]), (images[40:], labels[40:])


def dataset(arrays):
    return tf.data.Dataset.from_tensor_slices(arrays)


def test_writes_a_table_and_pictures(model, sets, tmp_path):
    folder = tmp_path / "made" / "here"
    before = baselines(model, *map(dataset, sets))
    history = {"loss": [2.0, 1.0], "knn_accuracy": [float("nan"), 0.5]}
    views = (lambda images, seed: images / 255.0, lambda images, seed: 1 - images / 255.0)
    table = report(model, before, *map(dataset, sets), folder, history, views)
    assert (folder / "table.txt").read_text(encoding="utf-8") == table + "\n"
    lines = table.splitlines()
    names = ["features", "raw pixels", "untrained encoder", "trained encoder"]
    assert [line[:17].strip() for line in lines] == names
    # The same model before and after: the same numbers.
    assert lines[2].removeprefix(names[2]) == lines[3].removeprefix(names[3] + "  ")
    pictures = ("views", "curves", "map", "neighbors")
    assert {file.stem for file in folder.iterdir()} == {"table", "results", *pictures}
    for name in pictures:
        assert np.asarray(Image.open(folder / f"{name}.png"))[..., :3].std() > 5


def test_the_file_of_results_holds_the_numbers_of_the_table(model, sets, tmp_path):
    before = baselines(model, *map(dataset, sets))
    table = report(model, before, *map(dataset, sets), tmp_path)
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert format_table(rows) == table
    (train, labels), (test, test_labels) = before["untrained encoder"]
    assert rows[1]["knn"] == knn_from_features(train, labels, test, test_labels)
    assert [row["features"] for row in rows] == [*before, "trained encoder"]


def test_features_averaged_over_views_are_a_row_of_their_own(model, sets, tmp_path):
    gray = (lambda images, seed: 0 * (images / 255.0) + 0.5,)  # nothing left to tell apart
    same = (lambda images, seed: images / 255.0,) * 2
    for views, is_worse in ((same, False), (gray, True)):
        table = report(model, {}, *map(dataset, sets), tmp_path, average=views)
        assert [line[:22].strip() for line in table.splitlines()[1:]] == [
            "trained encoder",
            "trained, mean of views",
        ]
        whole, mean = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
        assert (mean["linear"] < whole["linear"]) is is_worse
        if not is_worse:
            assert {**mean, "features": whole["features"]} == whole


def test_baselines_are_the_pixels_without_their_mean_and_the_untrained_features(model, sets):
    (train, train_labels), (test, test_labels) = sets
    found = baselines(model, *sets)
    (pixels, labels), (test_pixels, labels_of_test) = found["raw pixels"]
    mean = train.reshape(40, -1).mean(0) / 255
    np.testing.assert_allclose(pixels, train.reshape(40, -1) / 255 - mean, atol=1e-6)
    np.testing.assert_allclose(test_pixels, test.reshape(20, -1) / 255 - mean, atol=1e-6)
    np.testing.assert_array_equal(labels, train_labels)
    np.testing.assert_array_equal(labels_of_test, test_labels)
    untrained = found["untrained encoder"]
    np.testing.assert_array_equal(untrained[1][0], extract_features(model, test)[0])


def test_without_labels_there_are_pictures_and_a_note(model, sets, tmp_path):
    train, test = sets[0][0], sets[1][0]
    note = report(model, baselines(model, train, test), train, test, tmp_path)
    assert note.startswith("No labels")
    assert {file.name for file in tmp_path.iterdir()} == {"map.png", "neighbors.png"}


def test_two_test_images_are_too_few_for_a_map_and_no_error(model, sets, tmp_path):
    train, test = sets[0][0], sets[1][0][:2]
    report(model, baselines(model, train, test), train, test, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"neighbors.png"}


def test_refuses_a_data_set_that_changes_its_order(model, sets, tmp_path):
    shuffled = dataset(sets[0]).shuffle(40)
    before = baselines(model, shuffled, dataset(sets[1]))
    with pytest.raises(ValueError, match="`train` gives its images in another order"):
        report(model, before, shuffled, dataset(sets[1]), tmp_path)
