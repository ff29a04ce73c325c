import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from processes import run_python

import keras_ssl
from keras_ssl.recipes.pretraining import Run

RECIPE = Path(__file__).parents[2] / "recipes" / "simclr.py"
QUICK = {"epochs": 2, "batch_size": 512}


@pytest.fixture(scope="module")
def main():
    spec = importlib.util.spec_from_file_location("recipe", RECIPE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def weights(path):
    return keras.saving.load_model(path).get_weights()


def test_a_run_leaves_all_it_promises_and_goes_on_where_it_stopped(main, tmp_path, capsys):
    run = Run(tmp_path, probe_every=1)
    main(**QUICK, run=run)
    printed = capsys.readouterr().out
    for features in ("raw pixels", "untrained encoder", "trained encoder"):
        assert features in printed
    assert "1 per class  5 per class" in printed
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["epochs"], config["temperature"], config["probe_every"]) == (2, 0.5, 1)
    with open(tmp_path / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert {"loss", "knn_accuracy", "feature_std", "effective_rank"} <= set(rows[0])
    for name in ("views", "curves", "map", "neighbors"):
        assert np.asarray(Image.open(tmp_path / f"{name}.png"))[..., :3].std() > 5, name
    table = (tmp_path / "table.txt").read_text()
    assert table in printed
    results = json.loads((tmp_path / "results.json").read_text())
    names = ["raw pixels", "untrained encoder", "trained encoder"]
    assert [row["features"] for row in results] == names
    for row in results:
        assert f" {100 * row['knn']:.1f}    {100 * row['linear']:.1f} " in table
    time = (tmp_path / "time.json").read_text()
    assert json.loads(time)["epochs"] == 2
    images = np.stack([x for x, _ in keras_ssl.data.load("digits", "test").as_numpy_iterator()])
    encoder = tf.saved_model.load(str(tmp_path / "encoder"))
    model = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(encoder.serve(images), model.predict(images, verbose=0), atol=1e-5)

    # As if it had been stopped in the second epoch.
    whole = weights(tmp_path / "model.keras")
    (tmp_path / "model.keras").unlink()
    (tmp_path / "checkpoints" / "00002.keras").unlink()
    main(**QUICK, run=run)
    for found, expected in zip(weights(tmp_path / "model.keras"), whole, strict=True):
        np.testing.assert_array_equal(found, expected)
    with open(tmp_path / "history.csv") as file:
        assert list(csv.DictReader(file)) == rows
    # Once more with nothing left to train: the time that training took stays.
    time = (tmp_path / "time.json").read_text()
    main(**QUICK, run=run)
    assert (tmp_path / "time.json").read_text() == time
    with pytest.raises(ValueError, match=r"temperature was 0\.5 and is 0\.1"):
        main(**QUICK, temperature=0.1, run=run)


def run_recipe(*arguments):
    """Runs the recipe as a command, on a machine that shows two devices."""
    script = (
        "import runpy, tensorflow as tf\n"
        "tf.config.set_logical_device_configuration(\n"
        "    tf.config.list_physical_devices('CPU')[0],\n"
        "    [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        f"runpy.run_path({str(RECIPE)!r}, run_name='__main__')\n"
    )
    return run_python(script, *arguments)


def test_a_folder_without_classes_is_learned_from_on_two_devices(tmp_path, rng):
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


def test_the_command_line_explains_itself():
    printed = subprocess.run(
        [sys.executable, str(RECIPE), "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in ("dataset", "data-dir", "encoder", "epochs", "batch-size", "precision"):
        assert f"--{option}" in printed
    for option in ("strategy", "seed", "output"):
        assert f"--{option}" in printed
    assert "Passes over the images." in printed
