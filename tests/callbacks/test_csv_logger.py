import math
import os

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssl.callbacks import ResumableCSVLogger, read_history


def write_rows(path, rows, start=0):
    callback = ResumableCSVLogger(path)
    for epoch, logs in enumerate(rows, start):
        callback.on_epoch_end(epoch, logs)


def test_read_history_returns_what_fit_logged(tmp_path, rng):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", loss="mse")
    x, y = rng.random((8, 3)), rng.random((8, 1))
    path = tmp_path / "new" / "history.csv"
    history = model.fit(
        x, y, epochs=3, validation_data=(x, y), verbose=0, callbacks=[ResumableCSVLogger(path)]
    ).history
    assert read_history(path) == {"epoch": [0, 1, 2], **history}
    assert path.read_text().splitlines()[0] == "epoch,loss,val_loss"
    assert [file.name for file in path.parent.iterdir()] == ["history.csv"]


def test_csv_logger_replaces_the_epochs_that_a_resumed_run_repeats(tmp_path):
    path = tmp_path / "history.csv"
    write_rows(path, [{"loss": 3.0}, {"loss": 2.0}, {"loss": 9.0}])
    write_rows(path, [{"loss": 1.5}, {"loss": 1.0}], start=2)
    assert read_history(path) == {"epoch": [0, 1, 2, 3], "loss": [3.0, 2.0, 1.5, 1.0]}


def test_csv_logger_accepts_quantities_that_are_not_logged_in_each_epoch(tmp_path):
    path = tmp_path / "history.csv"
    write_rows(path, [{"loss": 3.0, "old": 1.0}, {"loss": 2.0, "knn_accuracy": 0.5}])
    history = read_history(path)
    assert history["loss"] == [3.0, 2.0]
    assert history["old"][0] == 1.0
    assert math.isnan(history["old"][1])
    assert math.isnan(history["knn_accuracy"][0])
    assert history["knn_accuracy"][1] == 0.5


def test_csv_logger_keeps_all_digits(tmp_path):
    path = tmp_path / "history.csv"
    write_rows(path, [{"loss": 0.1 + 0.2, "small": np.float32(1e-30)}])
    history = read_history(path)
    assert history["loss"] == [0.1 + 0.2]
    assert history["small"] == [float(np.float32(1e-30))]


def test_csv_logger_keeps_the_previous_file_if_it_is_killed(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    write_rows(path, [{"loss": 3.0}])

    def kill(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", kill)
    with pytest.raises(KeyboardInterrupt):
        write_rows(path, [{"loss": 2.0}], start=1)
    assert read_history(path) == {"epoch": [0], "loss": [3.0]}


def test_read_history_of_a_missing_file_is_empty(tmp_path):
    assert read_history(tmp_path / "missing.csv") == {}
