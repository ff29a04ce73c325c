import csv

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf

import keras_ssl
from keras_ssl.callbacks import KNNProbe, ResumableCSVLogger, read_history
from keras_ssl.evaluation import knn


def new_model():
    model = keras_ssl.SimCLR(checks.small_encoder(), projector=(8,))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    return model


@pytest.fixture
def model():
    return new_model()


@pytest.fixture
def probe_data(rng):
    """Two noisy classes of images that are not trained on."""
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


def test_knn_probe_logs_the_accuracy_of_each_epoch(model, probe_data, views):
    accuracies = []

    class Measure(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            accuracies.append(knn(self.model, *probe_data, k=5, temperature=0.2))

    probe = KNNProbe(*probe_data, k=5, temperature=0.2)
    history = fit(model, views, [probe, Measure()])
    assert history["knn_accuracy"] == accuracies
    assert 0.3 < accuracies[0] <= 1


def test_knn_probe_does_not_change_training(probe_data, views):
    losses = []
    for callbacks in ([], [KNNProbe(*probe_data)]):
        keras.utils.set_random_seed(5)
        losses.append(fit(new_model(), views, callbacks)["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_knn_probe_measures_the_first_and_last_epoch_and_logs_nan_for_skipped_ones(
    model, probe_data, views, tmp_path
):
    callbacks = [
        KNNProbe(*probe_data, every=3),
        keras.callbacks.CSVLogger(str(tmp_path / "keras.csv")),
        ResumableCSVLogger(tmp_path / "ours.csv"),
    ]
    accuracies = fit(model, views, callbacks, epochs=7)["knn_accuracy"]
    expected = [True, False, True, False, False, True, True]
    assert list(np.isfinite(accuracies)) == expected
    np.testing.assert_array_equal(read_history(tmp_path / "ours.csv")["knn_accuracy"], accuracies)
    with open(tmp_path / "keras.csv") as file:
        logged = [float(row["knn_accuracy"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(logged, accuracies)


@pytest.mark.parametrize("every", [1, 2])
def test_early_stopping_on_knn_accuracy_restores_the_best_weights(
    model, probe_data, views, every, monkeypatch
):
    accuracies = iter([0.2, 0.6, 0.4, 0.3, 0.1, 0.1, 0.1])
    monkeypatch.setattr(
        "keras_ssl.callbacks.knn_probe.knn_from_features", lambda *a, **k: next(accuracies)
    )
    weights = []
    probe = KNNProbe(*probe_data, every=every)
    stopping = keras.callbacks.EarlyStopping(
        monitor="knn_accuracy", mode="max", patience=2 * every, restore_best_weights=True
    )
    record_weights = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(model.get_weights())
    )
    history = fit(model, views, [probe, record_weights, stopping], epochs=20)
    assert len(history["loss"]) == (4 if every == 1 else 6)
    assert stopping.best == 0.6
    best = weights[1]  # 0.6 is measured after the second epoch either way
    for restored, expected in zip(model.get_weights(), best, strict=True):
        np.testing.assert_array_equal(restored, expected)


def test_knn_probe_logs_nan_for_features_that_are_not_finite(model, probe_data):
    model.encoder.set_weights([w * np.nan for w in model.encoder.get_weights()])
    probe, logs = KNNProbe(*probe_data), {}
    probe.set_model(model)
    probe.set_params({"epochs": 1})
    probe.on_train_begin()
    probe.on_epoch_end(0, logs)
    assert np.isnan(logs["knn_accuracy"])


def test_knn_probe_reads_datasets_once(model, probe_data, views):
    reads = []

    def elements():
        reads.append(1)
        yield from zip(*probe_data[0], strict=True)

    train = tf.data.Dataset.from_generator(
        elements,
        output_signature=(tf.TensorSpec((8, 8, 3), "float32"), tf.TensorSpec((), "int64")),
    )
    fit(model, views, [KNNProbe(train, probe_data[1])])
    assert len(reads) == 1


@pytest.mark.slow
def test_knn_probe_supports_replicas(probe_data, views, replicas):
    with replicas.scope():
        model = new_model()
    accuracies = fit(model, views, [KNNProbe(*probe_data)], epochs=1)["knn_accuracy"]
    assert accuracies == [pytest.approx(knn(model, *probe_data))]


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"every": 0}, ValueError, "`every`"),
        ({"every": 1.5}, TypeError, "`every`"),
        ({"k": 0}, ValueError, "`k`"),
        ({"temperature": 0.0}, ValueError, "`temperature`"),
        ({"train": np.zeros((4, 8, 8, 3), "uint8")}, ValueError, "`train` has no labels"),
        ({"test": np.zeros((4, 8, 8, 3), "uint8")}, ValueError, "`test` has no labels"),
        ({"test": (np.zeros((0, 8, 8, 3)), np.zeros(0))}, ValueError, "empty"),
        ({"train": "digits"}, TypeError, "must be a tf.data.Dataset"),
    ],
)
def test_knn_probe_rejects_bad_arguments(probe_data, changed, error, message):
    arguments = {"train": probe_data[0], "test": probe_data[1], **changed}
    with pytest.raises(error, match=message):
        KNNProbe(**arguments)
