"""Runs that were stopped anywhere end as those that were not."""

import os
import resource
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_ssl
from keras_ssl import data
from keras_ssl.callbacks import Checkpoint, checkpoint, latest_checkpoint

VIEWS = (keras_ssl.views.RandomFlip(), keras_ssl.views.RandomShift(2))
IN_GRAPHS = ("views", "few labels")  # tracing takes longer than these few steps


class Stop(keras.callbacks.Callback):
    """Does something before a step of an epoch, once."""

    def __init__(self, epoch, step, what):
        super().__init__()
        self.at, self.what, self.epoch = (epoch, step), what, None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            self.what()


def killed():
    raise KeyboardInterrupt


def encoder_with_dropout():
    """Batch norm and dropout: statistics and a state of random numbers."""
    images = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, strides=2, use_bias=False)(images)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.25, seed=7)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, x)


def new_model(run_eagerly=True):
    keras.utils.set_random_seed(3)
    model = keras_ssl.MoCo(encoder_with_dropout(), projector=(8,), queue_size=16, views=VIEWS)
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 16)
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9), run_eagerly=run_eagerly)
    return model


def new_classifier(run_eagerly=True):
    keras.utils.set_random_seed(3)
    classifier = keras_ssl.models.classifier(encoder_with_dropout(), 2)
    model = keras_ssl.Dash(classifier, warmup=0.25, ema_momentum=0.75)
    model.compile(keras.optimizers.Adam(1e-2), metrics=["accuracy"], run_eagerly=run_eagerly)
    return model


def images(count=20):
    return np.random.default_rng(5).integers(0, 256, (count, 8, 8, 3), "uint8")


def single():
    return tf.data.Dataset.from_tensor_slices((images(), np.arange(20) % 2))


def ready():
    return tuple(np.random.default_rng(5).random((2, 20, 8, 8, 3), "float32"))


def few_labels():
    return data.semi_supervised(single(), single(), 2, 2, weak=VIEWS[0], strong=VIEWS[1])


DATA = {
    "an array": lambda: {"x": images(), "batch_size": 4},
    "arrays of views": lambda: {"x": ready(), "batch_size": 4},
    "batches": lambda: {"x": single().batch(4)},
    "views": lambda: {"x": data.make_views(single(), VIEWS, 4)},
    "views, mapped": lambda: {"x": data.make_views(single(), VIEWS, 4).map(lambda *each: each)},
    "batches, counted": lambda: {"x": single().batch(4).repeat(), "steps_per_epoch": 5},
    "views, counted": lambda: {"x": data.make_views(single(), VIEWS, 4), "steps_per_epoch": 4},
    "own views, counted": lambda: {
        "x": tf.data.Dataset.from_tensor_slices((ready(),)).batch(4, True).repeat(),
        "steps_per_epoch": 4,
    },
    "few labels": lambda: {"x": few_labels()},
    "few labels, counted": lambda: {
        "x": few_labels(),
        "steps_per_epoch": 4,
    },
}


def fit(model, given, folder, epochs=3, saved=None, also=(), **settings):
    settings = {"every_steps": 2, **settings}
    start = {"initial_epoch": saved.epoch, "initial_step": saved.step} if saved else {}
    checkpoint = Checkpoint(folder, **settings)
    return model.fit(**given, epochs=epochs, verbose=0, callbacks=[*also, checkpoint], **start)


def stop(model, given, folder, epoch=1, step=3, what=killed, error=KeyboardInterrupt, **settings):
    with pytest.raises(error) as raised:
        fit(model, given, folder, also=[Stop(epoch, step, what)], **settings)
    return raised.value


def assert_same(found, expected):
    for part in ("weights", "metrics_variables"):
        for one, other in zip(getattr(found, part), getattr(expected, part), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=one.path)
    for one, other in zip(found.optimizer.variables, expected.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)


@pytest.mark.parametrize("kind", DATA)
def test_a_run_that_was_killed_within_an_epoch_ends_as_one_that_was_not(kind, tmp_path):
    new = new_classifier if kind.startswith("few labels") else new_model
    whole = new(run_eagerly=kind not in IN_GRAPHS)
    history = fit(whole, DATA[kind](), tmp_path / "whole").history
    stop(new(run_eagerly=kind not in IN_GRAPHS), DATA[kind](), tmp_path / "parts")
    saved = latest_checkpoint(tmp_path / "parts")
    assert saved == (tmp_path / "parts" / "00001-000002.keras", 1, 2)
    model = keras.saving.load_model(saved.path)
    steps = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    found = fit(model, DATA[kind](), tmp_path / "parts", saved=saved, also=[watch]).history
    assert_same(model, whole)
    assert found == {name: values[1:] for name, values in history.items()}
    last = int(model.step) // 3
    assert steps == [*range(2, last), *range(last)]


def test_arrays_of_views_have_no_place_where_steps_are_counted():
    with pytest.raises(ValueError, match="`initial_step` is 2 and `steps_per_epoch` is given"):
        new_model().fit(
            ready(), batch_size=4, steps_per_epoch=3, epochs=2, initial_step=2, verbose=0
        )


def test_it_may_be_killed_again_and_in_its_last_epoch(tmp_path):
    whole, given = new_model(), DATA["views"]
    fit(whole, given(), tmp_path / "whole")
    model, saved = new_model(), None
    for epoch, step in ((0, 1), (0, 3), (1, 0), (1, 1), (2, 3), (2, 4)):
        with pytest.raises(KeyboardInterrupt):
            fit(model, given(), tmp_path / "a", saved=saved, also=[Stop(epoch, step, killed)])
        saved = latest_checkpoint(tmp_path / "a")
        model = keras.saving.load_model(saved.path) if saved.path else new_model()
    assert saved[1:] == (2, 2)
    fit(model, given(), tmp_path / "a", saved=saved)
    assert_same(model, whole)


def test_own_views_that_end_are_begun_anew_where_a_run_goes_on():
    views = tf.data.Dataset.from_tensor_slices((ready(),)).batch(4, True)
    steps = int(views.cardinality())
    model = new_model()
    history = model.fit(views, steps_per_epoch=steps, epochs=4, initial_epoch=2, verbose=0)
    assert len(history.history["loss"]) == 2
    assert int(model.optimizer.iterations) == 2 * steps


def test_sigterm_saves_where_it_is_and_exits(tmp_path, capsys):
    whole, given = new_model(), DATA["views"]
    fit(whole, given(), tmp_path / "whole", every_steps=None)
    before = signal.getsignal(signal.SIGTERM)

    error = stop(
        new_model(), given(), tmp_path / "a", 1, 3, terminated, SystemExit, every_steps=None
    )
    assert error.code == 143
    assert "Stopped by SIGTERM; the last state is in" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is before
    saved = latest_checkpoint(tmp_path / "a")
    assert saved[1:] == (1, 3)
    model = keras.saving.load_model(saved.path)
    fit(model, given(), tmp_path / "a", saved=saved, every_steps=None)
    assert_same(model, whole)


def terminated():
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_twice_saves_all_the_same(tmp_path):
    def twice():
        terminated()
        terminated()

    stop(new_model(), DATA["views"](), tmp_path, 1, 3, twice, SystemExit)
    assert latest_checkpoint(tmp_path)[1:] == (1, 3)


def test_sigterm_again_ends_at_once_where_no_step_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PATIENCE", 0.0)
    handled = []
    before = signal.signal(signal.SIGTERM, lambda *_: handled.append("by what was before"))

    def twice():
        terminated()
        terminated()
        assert handled

    try:
        stop(new_model(), DATA["views"](), tmp_path, 1, 3, twice, SystemExit)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_sigterm_as_an_epoch_begins_loses_none_before_it(tmp_path):
    stop(new_model(), DATA["views"](), tmp_path, 2, 0, terminated, SystemExit, every=5)
    assert latest_checkpoint(tmp_path)[1:] == (2, 0)


def test_sigterm_before_the_first_step_says_that_there_is_nothing(tmp_path, capsys):
    stop(new_model(), DATA["views"](), tmp_path, 0, 0, terminated, SystemExit)
    assert "there was nothing to save yet" in capsys.readouterr().out
    assert latest_checkpoint(tmp_path) == (None, 0, 0)


def test_a_fit_that_ends_by_an_error_gives_sigterm_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    stop(new_model(), DATA["views"](), tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_damaged_later_state_is_not_kept_for_a_whole_one(tmp_path):
    fit(new_model(), DATA["views"](), tmp_path, epochs=2, keep=9, every_steps=None)
    (tmp_path / "00002.keras").write_bytes(b"half a file")
    with pytest.warns(UserWarning, match="damaged"):
        saved = latest_checkpoint(tmp_path)
    model = keras.saving.load_model(saved.path)
    with pytest.warns(UserWarning, match="damaged"):
        stop(model, DATA["views"](), tmp_path, saved=saved, keep=1, every_steps=1)
    with pytest.warns(UserWarning, match="damaged"):
        assert latest_checkpoint(tmp_path)[1:] == (1, 2)


def test_keeps_the_last_states_only(tmp_path):
    given = DATA["views"]
    fit(new_model(), given(), tmp_path, every_steps=None)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["00002.keras", "00003.keras"]
    fit(new_model(), given(), tmp_path / "one", keep=1)
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["00003.keras"]
    fit(new_model(), given(), tmp_path / "two", every=2, every_steps=3, keep=9)
    names = ["00000-000003", "00001-000003", "00002", "00002-000003", "00003"]
    assert sorted(path.stem for path in (tmp_path / "two").iterdir()) == sorted(names)


@pytest.mark.parametrize("moment", ["while writing", "before it is in its place"])
def test_killed_as_it_saves_leaves_the_state_before(moment, tmp_path, monkeypatch):
    given = DATA["views"]
    fit(new_model(), given(), tmp_path, epochs=1)
    saved = latest_checkpoint(tmp_path)
    model = keras.saving.load_model(saved.path)

    def half_written(path):
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment == "while writing":
            patch.setattr(model, "save", half_written)
        else:
            patch.setattr(os, "replace", lambda *args: killed())
        with pytest.raises(KeyboardInterrupt):
            fit(model, given(), tmp_path, saved=saved)
    assert latest_checkpoint(tmp_path) == saved
    assert list(tmp_path.glob("unfinished*"))
    fit(keras.saving.load_model(saved.path), given(), tmp_path, saved=saved)
    assert latest_checkpoint(tmp_path).epoch == 3
    assert not list(tmp_path.glob("unfinished*"))


def test_a_full_disk_leaves_the_last_state_and_says_so(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # bytes of any file

    try:
        error = stop(new_model(), DATA["views"](), tmp_path, what=fill, error=OSError)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "States saved before it are whole: make room" in str(error)
    saved = latest_checkpoint(tmp_path)
    assert saved[1:] == (1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00001-000002.keras", "00001.keras"]
    keras.saving.load_model(saved.path)


def test_a_damaged_state_is_named_and_the_one_before_it_used(tmp_path):
    fit(new_model(), DATA["views"](), tmp_path, keep=9)
    states = sorted(tmp_path.iterdir())
    whole = states[-1].read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:3000] + b"\0" * 50 + whole[3050:]):
        states[-1].write_bytes(damaged)
        with pytest.warns(UserWarning, match=r"00003\.keras is damaged.*before it is used"):
            found = latest_checkpoint(tmp_path)
        assert found[1:] == (2, 4)
    new_model().save(states[-1])
    with pytest.warns(UserWarning, match=r"00003\.keras was not saved by .*Checkpoint"):
        assert latest_checkpoint(tmp_path)[1:] == (2, 4)


def test_the_states_of_two_runs_are_not_mixed(tmp_path):
    fit(new_model(), DATA["views"](), tmp_path, epochs=2)
    with pytest.raises(ValueError, match=r"00002\.keras, the state after epoch 2, and epoch 1"):
        fit(new_model(), DATA["views"](), tmp_path, epochs=2)
    assert latest_checkpoint(tmp_path).epoch == 2


def test_a_folder_without_states_gives_none(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"another model")
    assert latest_checkpoint(tmp_path) == (None, 0, 0)
    assert latest_checkpoint(tmp_path / "missing") == (None, 0, 0)


@pytest.mark.parametrize("name", ["keep", "every", "every_steps"])
def test_names_a_bad_argument(name, tmp_path):
    with pytest.raises(ValueError, match=f"`{name}` must be an int of 1 or more"):
        Checkpoint(tmp_path, **{name: 0})


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"initial_step": 5}, "`initial_step` is 5, and an epoch of this data has 5 steps"),
        ({"initial_step": -1}, "`initial_step` must be at least 0"),
        ({"initial_epoch": -1}, "`initial_epoch` must be at least 0"),
        ({"initial_step": 1.5}, "`initial_step` must be an int"),
    ],
)
def test_a_wrong_start_is_named(start, message):
    with pytest.raises((TypeError, ValueError), match=message):
        new_model().fit(DATA["views"]()["x"], epochs=2, verbose=0, **start)
