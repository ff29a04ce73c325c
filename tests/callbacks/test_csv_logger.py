import math
import os

import keras
import numpy as np
import pytest
from keras import layers

from keras_ssl.callbacks import ResumableCSVLogger, read_history


def write(path, rows, start=0):
    callback = ResumableCSVLogger(path)
    for epoch, logs in enumerate(rows, start):
        callback.on_epoch_end(epoch, logs)


def test_reads_back_what_fit_logged(tmp_path, rng):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", loss="mse")
    x, y = rng.random((8, 3)), rng.random((8, 1))
    path = tmp_path / "new" / "history.csv"
    logged = model.fit(
        x, y, epochs=3, validation_data=(x, y), verbose=0, callbacks=[ResumableCSVLogger(path)]
    ).history
    assert read_history(path) == {"epoch": [0, 1, 2], **logged}
    assert path.read_text().splitlines()[0] == "epoch,loss,val_loss"
    assert [file.name for file in path.parent.iterdir()] == ["history.csv"]


def test_a_continued_run_replaces_the_epochs_it_does_again(tmp_path):
    path = tmp_path / "history.csv"
    write(path, [{"loss": 3.0}, {"loss": 2.0}, {"loss": 9.0}])
    write(path, [{"loss": 1.5}, {"loss": 1.0}], start=2)
    assert read_history(path) == {"epoch": [0, 1, 2, 3], "loss": [3.0, 2.0, 1.5, 1.0]}


def test_quantities_may_come_and_go(tmp_path):
    path = tmp_path / "history.csv"
    write(path, [{"loss": 3.0, "old": 1.0}, {"loss": 2.0, "knn_accuracy": 0.5}])
    found = read_history(path)
    assert found["loss"] == [3.0, 2.0]
    assert found["old"][0] == 1.0
    assert math.isnan(found["old"][1])
    assert math.isnan(found["knn_accuracy"][0])
    assert found["knn_accuracy"][1] == 0.5


def test_numbers_lose_no_digit(tmp_path):
    path = tmp_path / "history.csv"
    write(path, [{"loss": 0.1 + 0.2, "small": np.float32(1e-30)}])
    found = read_history(path)
    assert found["loss"] == [0.1 + 0.2]
    assert found["small"] == [float(np.float32(1e-30))]


def test_a_crash_while_writing_leaves_the_file_before(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    write(path, [{"loss": 3.0}])

    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write(path, [{"loss": 2.0}], start=1)
    assert read_history(path) == {"epoch": [0], "loss": [3.0]}


def test_no_file_is_an_empty_history(tmp_path):
    assert read_history(tmp_path / "missing.csv") == {}
