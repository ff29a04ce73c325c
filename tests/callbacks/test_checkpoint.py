import os

import keras
import method_checks as checks
import numpy as np
import pytest

import keras_ssl
from keras_ssl.callbacks import EpochCheckpoint, latest_checkpoint


def new_model():
    keras.utils.set_random_seed(3)
    model = keras_ssl.SimCLR(checks.small_encoder(), projector=(8,))
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 16)
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9))
    return model


def fit(model, views, epochs, folder, **kwargs):
    checkpoint = EpochCheckpoint(folder, **kwargs.pop("settings", {}))
    return model.fit(
        views, batch_size=8, epochs=epochs, verbose=0, callbacks=[checkpoint], **kwargs
    )


@pytest.fixture
def views(rng):
    return rng.random((16, 8, 8, 3), "float32"), rng.random((16, 8, 8, 3), "float32")


def test_a_stopped_run_ends_as_an_uninterrupted_one(views, tmp_path):
    whole = new_model()
    fit(whole, views, 4, tmp_path / "whole")
    fit(new_model(), views, 2, tmp_path / "parts")
    saved, done = latest_checkpoint(tmp_path / "parts")
    assert done == 2
    model = keras.saving.load_model(saved)
    fit(model, views, 4, tmp_path / "parts", initial_epoch=done)
    for found, right in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(found, right)
    for found, right in zip(model.optimizer.variables, whole.optimizer.variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(found), keras.ops.convert_to_numpy(right)
        )


def test_keeps_the_last_states_only(views, tmp_path):
    fit(new_model(), views, 4, tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["00003.keras", "00004.keras"]
    fit(new_model(), views, 3, tmp_path / "one", settings={"keep": 1})
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["00003.keras"]


def test_killed_before_the_file_is_in_its_place_leaves_the_state_before(
    views, tmp_path, monkeypatch
):
    fit(new_model(), views, 1, tmp_path)

    def killed(*args):
        raise KeyboardInterrupt

    model = new_model()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(model, views, 2, tmp_path, initial_epoch=1)
    saved, done = latest_checkpoint(tmp_path)
    assert done == 1
    fit(keras.saving.load_model(saved), views, 2, tmp_path, initial_epoch=done)
    assert latest_checkpoint(tmp_path)[1] == 2
    assert not list(tmp_path.glob("unfinished*"))


def test_killed_while_writing_leaves_the_state_before(views, tmp_path, monkeypatch):
    fit(new_model(), views, 1, tmp_path)
    model = new_model()

    def half_written(path):
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save", half_written)
    with pytest.raises(KeyboardInterrupt):
        fit(model, views, 2, tmp_path, initial_epoch=1)
    saved, done = latest_checkpoint(tmp_path)
    assert done == 1
    keras.saving.load_model(saved)


def test_the_states_of_two_runs_are_not_mixed(views, tmp_path):
    fit(new_model(), views, 2, tmp_path)
    with pytest.raises(ValueError, match=r"00002\.keras, the state after epoch 2, and epoch 1"):
        fit(new_model(), views, 2, tmp_path)
    assert latest_checkpoint(tmp_path)[1] == 2


def test_a_folder_without_states_gives_none(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"another model")
    assert latest_checkpoint(tmp_path) == (None, 0)
    assert latest_checkpoint(tmp_path / "missing") == (None, 0)


def test_names_a_bad_argument(tmp_path):
    with pytest.raises(ValueError, match="`keep` must be an int of 1 or more"):
        EpochCheckpoint(tmp_path, keep=0)
