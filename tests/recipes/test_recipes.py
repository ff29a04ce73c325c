"""What every recipe promises, asked of each: options, one epoch, what is left in the folder."""

import csv
import dataclasses
import inspect
import json
import operator
import typing
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from recipe_checks import ALL, load, options_of

import keras_ssl
from keras_ssl.evaluation.plots import figures
from keras_ssl.recipes import pretraining
from keras_ssl.recipes.pretraining import Run

# Enough to run all of the recipe's own code, in little time.
LITTLE = {
    "clip": {"text_width": 16, "text_depth": 1},
    "dinov2": {"prototypes": 64},
    "dino": {"prototypes": 64},
    "emp_ssl": {"patches": 3},
    "moco": {"queue_size": 512},
}
NAMES = [name for name in ALL if options_of(name) is Run and name != "reclip"]
EXPORTED = ("clip", "mae", "simclr")  # all by the same lines; each takes seconds
VARIANTS = [(name, LITTLE.get(name, {})) for name in NAMES] + [("moco", {"version": 3})]


@pytest.fixture
def quick(monkeypatch):
    """Leaves out what takes time and is alike in all recipes: a deep encoder, two pictures."""

    def new_encoder(run, shape):
        images = keras.Input((None, None, shape[2]))
        maps = layers.Conv2D(16, 3, activation="relu")(images)
        return keras.Model(images, layers.GlobalAveragePooling2D()(maps))

    monkeypatch.setattr(pretraining, "new_encoder", new_encoder)
    for picture in ("feature_map", "nearest_neighbors"):
        monkeypatch.setattr(figures, picture, lambda *arguments: None)


@pytest.mark.filterwarnings("ignore:CollapseMonitor")  # two steps of one layer
@pytest.mark.parametrize(
    ("name", "settings"), VARIANTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_one_epoch_leaves_all_that_is_promised(
    name, settings, tmp_path, capsys, quick, monkeypatch
):
    if name not in EXPORTED:
        monkeypatch.setattr(keras_ssl.SelfSupervisedModel, "export_encoder", lambda *_: None)
    run = Run(tmp_path, baselines=False, width=12, depth=1)  # of those that are transformers
    load(name).main(epochs=1, batch_size=512, run=run, **settings)
    assert "trained encoder" in capsys.readouterr().out
    config = json.loads((tmp_path / "config.json").read_text())
    assert config == {**config, "epochs": 1, "batch_size": 512, "dataset": "digits", **settings}
    with open(tmp_path / "history.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    measured = {"loss", "knn_accuracy", "feature_std", "effective_rank"}
    assert all(np.isfinite(float(row[quantity])) for quantity in measured)
    trained, *more = json.loads((tmp_path / "results.json").read_text())
    assert trained["features"] == "trained encoder"
    assert [each["features"] for each in more] == ["trained, mean of views"] * (name == "emp_ssl")
    assert trained["knn"] == pytest.approx(float(row["knn_accuracy"]))
    time = json.loads((tmp_path / "time.json").read_text())
    assert time["epochs"] == 1
    assert time["seconds"] > 0
    for picture in ("views", "curves"):
        assert (tmp_path / f"{picture}.png").stat().st_size > 0
    if name not in EXPORTED:
        return
    images = np.stack([x for x, _ in keras_ssl.data.load("digits", "test").as_numpy_iterator()])
    place = "encoder/image" if name == "clip" else "encoder"
    encoder = tf.saved_model.load(str(tmp_path / place))
    model = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(encoder.serve(images), model.predict(images, verbose=0), atol=1e-5)


def test_every_recipe_takes_the_common_options_and_names_its_own():
    common = {"output", "dataset", "data_dir", "encoder", "precision", "strategy", "seed"}
    assert common <= {field.name for field in dataclasses.fields(Run)}
    for name in NAMES:
        main = load(name).main
        parameters = inspect.signature(main).parameters
        assert {"epochs", "batch_size", "learning_rate", "run"} <= set(parameters), name
        assert typing.get_type_hints(main)["run"] is Run, name
        assert parameters["run"].default == Run(Path("runs") / name), name
        documented = inspect.getdoc(main).split("Args:")[1]
        for parameter in parameters:
            assert f"    {parameter}: " in documented, f"{name} does not explain {parameter}"


@pytest.mark.filterwarnings("ignore:CollapseMonitor")
def test_momentum_and_schedules_go_on_where_a_run_stopped(tmp_path, quick):
    run = Run(tmp_path, baselines=False, probe_every=1)
    options = {"epochs": 2, "batch_size": 256, "prototypes": 64, "small_crops": 0, "run": run}
    main = load("dino").main
    main(**options)
    whole = keras.saving.load_model(tmp_path / "model.keras")
    (tmp_path / "checkpoints" / "00002.keras").unlink()
    for left in ("model.keras", "results.json", "time.json"):
        (tmp_path / left).unlink()
    main(**options)
    again = keras.saving.load_model(tmp_path / "model.keras")
    for state in ("variables", "optimizer.variables"):
        found, expected = (operator.attrgetter(state)(model) for model in (again, whole))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=other.path)
    assert int(again.optimizer.iterations) == 10
    assert json.loads((tmp_path / "time.json").read_text())["epochs"] == 1  # of this sitting
