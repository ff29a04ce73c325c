import csv

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf

import keras_ssl
from keras_ssl.callbacks import KNNProbe, ResumableCSVLogger, read_history
from keras_ssl.evaluation.metrics import knn


def new_model():
    model = keras_ssl.SimCLR(checks.small_encoder(), projector=(8,))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    return model


@pytest.fixture
def model():
    return new_model()


@pytest.fixture
def sets(rng):
    """Two noisy classes, of images that are not trained on."""
    labels = rng.integers(0, 2, 60)
    images = rng.random((60, 8, 8, 3)) * 0.8
    images[..., 0] += 0.2 * labels[:, None, None]
    images = images.astype("float32")
    return (images[:30], labels[:30]), (images[30:], labels[30:])


@pytest.fixture
def views(rng):
    return rng.random((16, 8, 8, 3), "float32"), rng.random((16, 8, 8, 3), "float32")


def fit(model, views, callbacks, **kwargs):
    settings = {"epochs": 3, "batch_size": 8, "verbose": 0, **kwargs}
    return model.fit(views, callbacks=callbacks, **settings).history


def test_the_history_has_the_accuracy_of_each_epoch(model, sets, views):
    measured = []

    class Measure(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            measured.append(knn(self.model, *sets, k=5, temperature=0.2))

    probe = KNNProbe(*sets, k=5, temperature=0.2)
    history = fit(model, views, [probe, Measure()])
    assert history["knn_accuracy"] == measured
    assert 0.3 < measured[0] <= 1


def test_measuring_does_not_change_the_training(sets, views):
    curves = []
    for callbacks in ([], [KNNProbe(*sets)]):
        keras.utils.set_random_seed(5)
        curves.append(fit(new_model(), views, callbacks)["loss"])
    np.testing.assert_allclose(*curves, rtol=1e-6)


def test_skipped_epochs_are_nan_and_the_first_and_last_are_not(model, sets, views, tmp_path):
    callbacks = [
        KNNProbe(*sets, every=3),
        keras.callbacks.CSVLogger(str(tmp_path / "keras.csv")),
        ResumableCSVLogger(tmp_path / "ours.csv"),
    ]
    found = fit(model, views, callbacks, epochs=7)["knn_accuracy"]
    expected = [True, False, True, False, False, True, True]
    assert list(np.isfinite(found)) == expected
    np.testing.assert_array_equal(read_history(tmp_path / "ours.csv")["knn_accuracy"], found)
    with open(tmp_path / "keras.csv") as file:
        kept = [float(row["knn_accuracy"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(kept, found)


@pytest.mark.parametrize("every", [1, 2])
def test_early_stopping_keeps_the_weights_of_the_best_epoch(model, sets, views, every, monkeypatch):
    accuracies = iter([0.2, 0.6, 0.4, 0.3, 0.1, 0.1, 0.1])
    monkeypatch.setattr(
        "keras_ssl.callbacks.knn_probe.knn_from_features", lambda *a, **k: next(accuracies)
    )
    weights = []
    probe = KNNProbe(*sets, every=every)
    stopping = keras.callbacks.EarlyStopping(
        monitor="knn_accuracy", mode="max", patience=2 * every, restore_best_weights=True
    )
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(model.get_weights())
    )
    history = fit(model, views, [probe, keep, stopping], epochs=20)
    assert len(history["loss"]) == (4 if every == 1 else 6)
    assert stopping.best == 0.6
    best = weights[1]  # 0.6 is measured after the second epoch either way
    for found, right in zip(model.get_weights(), best, strict=True):
        np.testing.assert_array_equal(found, right)


def test_features_that_are_not_finite_give_nan(model, sets):
    model.encoder.set_weights([w * np.nan for w in model.encoder.get_weights()])
    probe, logs = KNNProbe(*sets), {}
    probe.set_model(model)
    probe.set_params({"epochs": 1})
    probe.on_train_begin()
    probe.on_epoch_end(0, logs)
    assert np.isnan(logs["knn_accuracy"])


def test_data_sets_are_read_once(model, sets, views):
    reads = []

    def elements():
        reads.append(1)
        yield from zip(*sets[0], strict=True)

    train = tf.data.Dataset.from_generator(
        elements,
        output_signature=(tf.TensorSpec((8, 8, 3), "float32"), tf.TensorSpec((), "int64")),
    )
    fit(model, views, [KNNProbe(train, sets[1])])
    assert len(reads) == 1


def test_replicas_are_measured_too(sets, views, replicas):
    with replicas.scope():
        model = new_model()
    found = fit(model, views, [KNNProbe(*sets)], epochs=1)["knn_accuracy"]
    assert found == [pytest.approx(knn(model, *sets))]


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"every": 0}, ValueError, "`every`"),
        ({"every": 1.5}, ValueError, "`every`"),
        ({"k": 0}, ValueError, "`k`"),
        ({"temperature": 0.0}, ValueError, "`temperature`"),
        ({"train": np.zeros((4, 8, 8, 3), "uint8")}, ValueError, "`train` has no labels"),
        ({"test": np.zeros((4, 8, 8, 3), "uint8")}, ValueError, "`test` has no labels"),
        ({"test": (np.zeros((0, 8, 8, 3)), np.zeros(0))}, ValueError, "empty"),
        ({"train": "digits"}, TypeError, "must be a tf.data.Dataset"),
    ],
)
def test_names_a_bad_argument_before_training(sets, changed, error, message):
    arguments = {"train": sets[0], "test": sets[1], **changed}
    with pytest.raises(error, match=message):
        KNNProbe(**arguments)
