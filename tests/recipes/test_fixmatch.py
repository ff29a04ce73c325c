"""The whole run of a semi-supervised recipe, from scratch and from a pretrained encoder."""

import csv
import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from recipe_checks import TINY, load

import keras_ssl
from keras_ssl.recipes import pretraining, semi_supervised

SHAPE = (8, 8, 1)


@pytest.mark.slow
def test_a_run_writes_all_its_files_and_resumes(tmp_path, capsys):
    recipe = load("fixmatch")
    config = recipe.Config(
        tmp_path,
        labels_per_class=2,
        epochs=2,
        batch_size=60,
        unlabeled_ratio=8,
        probe_every=1,
        **TINY,
    )
    semi_supervised.run(config, recipe.build)
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert f"Test accuracy {100 * results['accuracy']:.1f} % on 360 images" in printed
    assert results["steps"] == 4
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    terms = {"loss", "supervised_loss", "unsupervised_loss", "mask_rate", "threshold"}
    terms |= {"accuracy", "pseudo_label_accuracy"}
    assert all(np.isfinite(float(row[term])) for row in rows for term in terms)
    assert float(rows[-1]["val_accuracy"]) == pytest.approx(results["accuracy"])
    for name in ("views", "curves", "confusion", "pseudo_labels"):
        assert (tmp_path / f"{name}.png").stat().st_size > 0
    digits = keras_ssl.data.load("digits", "test").as_numpy_iterator()
    images, labels = (np.stack(part) for part in zip(*digits, strict=True))
    classifier = tf.saved_model.load(str(tmp_path / "classifier"))
    logits = np.asarray(classifier.serve(images))
    assert np.mean(logits.argmax(axis=1) == labels) == pytest.approx(results["accuracy"])
    model = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(logits, model.predict(images, verbose=0), atol=1e-5)
    encoder = tf.saved_model.load(str(tmp_path / "encoder"))
    assert encoder.serve(images).shape == (360, 12)

    # Resume in the second epoch.
    (tmp_path / "checkpoints" / "00002.keras").unlink()
    resumed = semi_supervised.run(config, recipe.build)
    for weight, expected in zip(resumed.weights, model.weights, strict=True):
        if not expected.path.endswith("total_steps"):
            np.testing.assert_array_equal(weight.numpy(), expected.numpy(), err_msg=expected.path)


def test_a_classifier_starts_from_a_pretrained_encoder_and_trains_it(tmp_path):
    simclr = load("simclr")
    pretrained, _ = simclr.build(simclr.Config(**TINY), SHAPE, total_steps=1)
    pretrained.encoder.trainable = False
    pretrained.save(tmp_path / "model.keras")
    config = load("fixmatch").Config(pretrained=tmp_path / "model.keras")
    classifier = semi_supervised.classifier(config, SHAPE, num_classes=3)
    assert classifier.output_shape == (None, 3)
    *encoder_weights, kernel, bias = classifier.trainable_weights
    assert (tuple(kernel.shape), tuple(bias.shape)) == ((12, 3), (3,))
    pretrained.encoder.trainable = True
    assert len(encoder_weights) > 0
    for weight, saved in zip(encoder_weights, pretrained.encoder.trainable_weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), saved.numpy())


def test_pretraining_comes_before_fixmatch(tmp_path, capsys, monkeypatch):
    runs = {}

    def fake_run(config, build):
        runs[config.output.name] = (config, build)
        config.output.mkdir()
        results = {"accuracy": 0.1 * len(runs)}
        (config.output / "results.json").write_text(json.dumps(results))

    monkeypatch.setattr(pretraining, "run", fake_run)
    monkeypatch.setattr(semi_supervised, "run", fake_run)
    recipe, simclr, fixmatch = (
        load(name) for name in ("pretrain_then_fixmatch", "simclr", "fixmatch")
    )
    options = {"seed": 3, "dataset": "digits", "save_steps": 7, "baselines": False}
    config = recipe.Config(
        tmp_path,
        pretrain_epochs=5,
        pretrain_batch_size=64,
        pretrain_learning_rate=0.2,
        temperature=0.3,
        threshold=0.8,
        epochs=2,
        ema_momentum=0.9,
        **options,
    )
    recipe.run(config)
    assert list(runs) == ["simclr", "supervised", "fixmatch", "pretrained_fixmatch"]
    pretraining_config, build = runs["simclr"]
    assert build is simclr.build
    assert pretraining_config == simclr.Config(
        tmp_path / "simclr",
        epochs=5,
        batch_size=64,
        learning_rate=0.2,
        temperature=0.3,
        **options,
    )
    shared = {"labels_per_class": 1, "epochs": 2, "ema_momentum": 0.9, **options}
    supervised = load("supervised")
    expected = supervised.Config(tmp_path / "supervised", **shared)
    assert runs["supervised"] == (expected, supervised.build)
    expected = fixmatch.Config(tmp_path / "fixmatch", threshold=0.8, **shared)
    assert runs["fixmatch"] == (expected, fixmatch.build)
    expected = dataclasses.replace(
        expected,
        output=tmp_path / "pretrained_fixmatch",
        pretrained=tmp_path / "simclr" / "model.keras",
    )
    assert runs["pretrained_fixmatch"] == (expected, fixmatch.build)
    printed = capsys.readouterr().out.splitlines()[-3:]
    lines = ["supervised 20.0 %", "fixmatch 30.0 %", "pretrained fixmatch 40.0 %"]
    assert [" ".join(line.split()) for line in printed] == lines
