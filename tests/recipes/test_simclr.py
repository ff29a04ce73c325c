"""The whole run of a self-supervised recipe."""

import csv
import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from processes import run_python
from recipe_checks import RECIPES, TINY, load

import keras_ssl
from keras_ssl.recipes import base, pretraining


def run(config):
    return pretraining.run(config, load("simclr").build)


def weights(path):
    return keras.saving.load_model(path).get_weights()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:CollapseMonitor")  # two epochs of a tiny encoder
def test_a_run_writes_all_its_files_and_resumes(tmp_path, capsys):
    @dataclasses.dataclass(frozen=True)
    class Config(load("simclr").Config):
        averages_views = True

    config = Config(tmp_path, epochs=2, batch_size=512, probe_every=1, **TINY)
    run(config)
    printed = capsys.readouterr().out
    names = ["raw pixels", "untrained encoder", "trained encoder", "trained, mean of views"]
    for name in names:
        assert name in printed
    assert "1 per class  5 per class" in printed
    saved_config = json.loads((tmp_path / "config.json").read_text())
    fields = {field.name for field in dataclasses.fields(config)}
    assert set(saved_config) == fields - set(base.NOT_SAVED)
    values = [saved_config[name] for name in ("epochs", "temperature", "probe_every", "dataset")]
    assert values == [2, 0.5, 1, "digits"]
    with open(tmp_path / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for term in ("loss", "knn_accuracy", "feature_std", "effective_rank"):
        assert all(np.isfinite(float(row[term])) for row in rows)
    for name in ("views", "curves", "map", "neighbors", "attention"):
        assert np.asarray(Image.open(tmp_path / f"{name}.png"))[..., :3].std() > 5, name
    table = (tmp_path / "table.txt").read_text()
    assert table in printed
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["features"] for row in results] == names
    for row in results:
        assert f" {100 * row['knn']:.1f}    {100 * row['linear']:.1f} " in table
    assert results[2]["knn"] == pytest.approx(float(rows[-1]["knn_accuracy"]))
    times = json.loads((tmp_path / "time.json").read_text())
    assert times["epochs"] == 2
    assert times["seconds"] > 0
    images = np.stack([x for x, _ in keras_ssl.data.load("digits", "test").as_numpy_iterator()])
    encoder = tf.saved_model.load(str(tmp_path / "encoder"))
    model = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(encoder.serve(images), model.predict(images, verbose=0), atol=1e-5)

    # Resume in the second epoch.
    config = dataclasses.replace(config, baselines=False)
    expected_weights = weights(tmp_path / "model.keras")
    (tmp_path / "model.keras").unlink()
    (tmp_path / "checkpoints" / "00002.keras").unlink()
    run(config)
    resumed_weights = weights(tmp_path / "model.keras")
    for resumed, expected in zip(resumed_weights, expected_weights, strict=True):
        np.testing.assert_array_equal(resumed, expected)
    with open(tmp_path / "history.csv") as file:
        assert list(csv.DictReader(file)) == rows
    times = (tmp_path / "time.json").read_text()
    assert json.loads(times)["epochs"] == 1  # of the resumed part

    # Resume with no epoch left: the training time stays.
    run(config)
    assert (tmp_path / "time.json").read_text() == times
    with pytest.raises(ValueError, match=r"temperature was 0\.5 and is 0\.1"):
        run(dataclasses.replace(config, temperature=0.1))


def run_recipe(*arguments):
    """Runs the recipe as a command, on a machine that shows two devices."""
    script = (
        "import runpy, tensorflow as tf\n"
        "tf.config.set_logical_device_configuration(\n"
        "    tf.config.list_physical_devices('CPU')[0],\n"
        "    [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        f"runpy.run_path({str(RECIPES / 'simclr.py')!r}, run_name='__main__')\n"
    )
    return run_python(script, *arguments)


@pytest.mark.slow
def test_a_directory_without_classes_trains_on_two_devices(tmp_path, rng):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(40):
        size = (20 + i, 30, 3)
        Image.fromarray(rng.integers(0, 256, size, dtype="uint8")).save(photos / f"{i}.jpg")
    options = {
        "dataset": photos,
        "image-size": 16,
        "epochs": 1,
        "batch-size": 8,
        "precision": "mixed_bfloat16",
        "strategy": "mirrored",
        "output": tmp_path / "run",
    }
    printed = run_recipe(*(text for name, x in options.items() for text in (f"--{name}", str(x))))
    assert "No labels" in printed
    assert (tmp_path / "run" / "neighbors.png").exists()
