"""What every recipe with few labels promises, asked of each."""

import csv
import inspect
import json
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
from keras_ssl.recipes.semi_supervised import FewLabelRun

NAMES = [name for name in ALL if options_of(name) is FewLabelRun]
EXPORTED = ("fixmatch", "supervised")  # all by the same lines; each takes seconds
ALONE = [name for name in NAMES if name != "pretrain_then_fixmatch"]


@pytest.fixture
def quick(monkeypatch):
    """Leaves out what takes time and is alike in all recipes: a deep encoder, two pictures."""

    def new_encoder(run, shape):
        images = keras.Input((None, None, shape[2]))
        maps = layers.Conv2D(8, 3, activation="relu")(images)
        return keras.Model(images, layers.GlobalAveragePooling2D()(maps))

    monkeypatch.setattr(pretraining, "new_encoder", new_encoder)
    for picture in ("feature_map", "nearest_neighbors"):
        monkeypatch.setattr(figures, picture, lambda *arguments: None)


def little(folder, **options):
    """A run of a few steps on digits."""
    few = {"labels_per_class": 2, "epochs": 1, "batch_size": 60, "unlabeled_ratio": 8}
    return FewLabelRun(folder, baselines=False, **{**few, **options})


@pytest.mark.parametrize("name", ALONE)
def test_one_epoch_leaves_all_that_is_promised(name, tmp_path, capsys, quick, monkeypatch):
    if name not in EXPORTED:
        for export in ("export", "export_encoder"):
            monkeypatch.setattr(keras_ssl.SemiSupervisedModel, export, lambda *_, **__: None)
    load(name).main(run=little(tmp_path))
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert f"Test accuracy {100 * results['accuracy']:.1f} %, of 360 images" in printed
    assert results["steps"] == 2
    with open(tmp_path / "history.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    measured = {"loss", "supervised_loss", "unsupervised_loss", "mask_rate", "threshold"}
    measured |= {"accuracy", "pseudo_label_accuracy"}
    assert all(np.isfinite(float(row[quantity])) for quantity in measured)
    for picture in ("views", "curves", "confusion", "pseudo_labels"):
        assert (tmp_path / f"{picture}.png").stat().st_size > 0
    if name not in EXPORTED:
        return
    digits = list(keras_ssl.data.load("digits", "test").as_numpy_iterator())
    images, labels = (np.stack(part) for part in zip(*digits, strict=True))
    classifier = tf.saved_model.load(str(tmp_path / "classifier"))
    logits = np.asarray(classifier.serve(images))
    assert np.mean(logits.argmax(axis=1) == labels) == pytest.approx(results["accuracy"])
    model = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(logits, model.predict(images, verbose=0), atol=1e-5)
    encoder = tf.saved_model.load(str(tmp_path / "encoder"))
    assert encoder.serve(images).shape == (360, 8)


def test_every_recipe_has_a_folder_of_its_own_and_explains_its_options():
    for name in NAMES:
        parameters = inspect.signature(load(name).main).parameters
        assert parameters["run"].default.output == Path("runs") / name, name
        documented = inspect.getdoc(load(name).main).split("Args:")[1]
        for parameter in parameters:
            assert f"    {parameter}: " in documented, f"{name} does not explain {parameter}"


def test_a_stopped_run_goes_on_to_the_same_end(tmp_path, quick):
    run = little(tmp_path, epochs=2, probe_every=1)
    load("dash").main(run=run)
    whole = keras.saving.load_model(tmp_path / "model.keras")
    (tmp_path / "checkpoints" / "00002.keras").unlink()
    load("dash").main(run=run)
    again = keras.saving.load_model(tmp_path / "model.keras")
    for found, expected in zip(again.weights, whole.weights, strict=True):
        if not expected.path.endswith("total_steps"):
            np.testing.assert_array_equal(found.numpy(), expected.numpy(), err_msg=expected.path)


@pytest.mark.filterwarnings("ignore:CollapseMonitor")
def test_pre_training_comes_before_fixmatch(tmp_path, capsys, quick):
    load("pretrain_then_fixmatch").main(
        pretrain_epochs=1, pretrain_batch_size=512, run=little(tmp_path)
    )
    printed = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[0] for line in printed] == ["supervised", "fixmatch", "pretrained"]
    for name in ("simclr", "supervised", "fixmatch", "pretrained_fixmatch"):
        assert (tmp_path / name / "model.keras").exists()
    config = json.loads((tmp_path / "pretrained_fixmatch" / "config.json").read_text())
    assert config["pretrained"] == str(tmp_path / "simclr" / "model.keras")
