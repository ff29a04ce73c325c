"""Interrupted and resumed runs end exactly as uninterrupted runs."""

import logging
import os
import resource
import signal
import stat
import threading
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_ssl
from keras_ssl import data, distribute
from keras_ssl.callbacks import (
    Checkpoint,
    TrainingTerminated,
    checkpoint,
    checkpoint_files,
    latest_checkpoint,
    sigterm,
)

VIEWS = (keras_ssl.views.RandomFlip(), keras_ssl.views.RandomShift(2))
FAST_DATA = ("an array",)
GRAPH_DATA = ("views", "few labels")  # other runs are eager: tracing takes longer than the steps


class CallBeforeStep(keras.callbacks.Callback):
    """Calls a function before a given step."""

    def __init__(self, epoch, step, function):
        super().__init__()
        self.position, self.function, self.epoch = (epoch, step), function, None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.position:
            self.function()


def kill():
    raise KeyboardInterrupt


def encoder_with_dropout():
    """An encoder with more state than weights: batch norm statistics and a random seed."""
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


def random_images(count=20):
    return np.random.default_rng(5).integers(0, 256, (count, 8, 8, 3), "uint8")


def labeled_images():
    return tf.data.Dataset.from_tensor_slices((random_images(), np.arange(20) % 2))


def view_arrays():
    return tuple(np.random.default_rng(5).random((2, 20, 8, 8, 3), "float32"))


def semi_supervised():
    return data.semi_supervised(
        labeled_images(), labeled_images(), 2, 2, weak=VIEWS[0], strong=VIEWS[1]
    )


DATA = {
    "an array": lambda: {"x": random_images(), "batch_size": 4},
    "arrays of views": lambda: {"x": view_arrays(), "batch_size": 4},
    "batches": lambda: {"x": labeled_images().batch(4)},
    "views": lambda: {"x": data.make_views(labeled_images(), VIEWS, 4)},
    "views, mapped": lambda: {
        "x": data.make_views(labeled_images(), VIEWS, 4).map(lambda *element: element)
    },
    "batches, counted": lambda: {"x": labeled_images().batch(4).repeat(), "steps_per_epoch": 5},
    "views, counted": lambda: {
        "x": data.make_views(labeled_images(), VIEWS, 4),
        "steps_per_epoch": 4,
    },
    "own views, counted": lambda: {
        "x": tf.data.Dataset.from_tensor_slices((view_arrays(),)).batch(4, True).repeat(),
        "steps_per_epoch": 4,
    },
    "few labels": lambda: {"x": semi_supervised()},
    "few labels, counted": lambda: {"x": semi_supervised(), "steps_per_epoch": 4},
}


def fit(model, inputs, folder, epochs=3, saved=None, callbacks=(), **settings):
    settings = {"save_every_steps": 2, **settings}
    start = {"initial_epoch": saved.epoch, "initial_step": saved.step} if saved else {}
    checkpoint = Checkpoint(folder, **settings)
    return model.fit(
        **inputs, epochs=epochs, verbose=0, callbacks=[*callbacks, checkpoint], **start
    )


def interrupt(
    model, inputs, folder, epoch=1, step=3, function=kill, error=KeyboardInterrupt, **settings
):
    """Fits until a step, before which it calls a function that ends `fit`; returns the error."""
    callback = CallBeforeStep(epoch, step, function)
    with pytest.raises(error) as raised:
        fit(model, inputs, folder, callbacks=[callback], **settings)
    return raised.value


def assert_same_state(model, expected):
    for name in ("weights", "metrics_variables"):
        for variable, other in zip(getattr(model, name), getattr(expected, name), strict=True):
            np.testing.assert_array_equal(variable, other, err_msg=variable.path)
    variables = zip(model.optimizer.variables, expected.optimizer.variables, strict=True)
    for variable, other in variables:
        np.testing.assert_array_equal(variable, other, err_msg=variable.path)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind in FAST_DATA else [pytest.mark.slow]) for kind in DATA],
)
def test_a_run_killed_within_an_epoch_resumes_exactly(kind, tmp_path):
    new = new_classifier if kind.startswith("few labels") else new_model
    uninterrupted = new(run_eagerly=kind not in GRAPH_DATA)
    history = fit(uninterrupted, DATA[kind](), tmp_path / "uninterrupted").history
    folder = tmp_path / "interrupted"
    interrupt(new(run_eagerly=kind not in GRAPH_DATA), DATA[kind](), folder)
    saved = latest_checkpoint(folder)
    assert saved == (folder / "00001-000002.keras", 1, 2)
    model = keras.saving.load_model(saved.path)
    steps = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: steps.append(step)
    )
    resumed_history = fit(model, DATA[kind](), folder, saved=saved, callbacks=[record]).history
    assert_same_state(model, uninterrupted)
    assert resumed_history == {name: values[1:] for name, values in history.items()}
    steps_per_epoch = int(model.step) // 3
    assert steps == [*range(2, steps_per_epoch), *range(steps_per_epoch)]


def test_fit_rejects_initial_step_for_view_arrays_with_steps_per_epoch():
    with pytest.raises(ValueError, match=r"`initial_step=2` and `steps_per_epoch`"):
        new_model().fit(
            view_arrays(), batch_size=4, steps_per_epoch=3, epochs=2, initial_step=2, verbose=0
        )


@pytest.mark.slow
def test_a_run_killed_many_times_resumes_exactly(tmp_path):
    uninterrupted, inputs = new_model(), DATA["views"]
    fit(uninterrupted, inputs(), tmp_path / "uninterrupted")
    model, saved = new_model(), None
    for epoch, step in ((0, 1), (0, 3), (1, 0), (1, 1), (2, 3), (2, 4)):
        interrupt(model, inputs(), tmp_path / "a", epoch, step, saved=saved)
        saved = latest_checkpoint(tmp_path / "a")
        model = keras.saving.load_model(saved.path) if saved.path else new_model()
    assert saved[1:] == (2, 2)
    fit(model, inputs(), tmp_path / "a", saved=saved)
    assert_same_state(model, uninterrupted)


def test_a_finite_dataset_of_views_restarts_when_a_run_resumes():
    views = tf.data.Dataset.from_tensor_slices((view_arrays(),)).batch(4, True)
    steps = int(views.cardinality())
    model = new_model()
    history = model.fit(views, steps_per_epoch=steps, epochs=4, initial_epoch=2, verbose=0)
    assert len(history.history["loss"]) == 2
    assert int(model.optimizer.iterations) == 2 * steps


def send_sigterm():
    os.kill(os.getpid(), signal.SIGTERM)


def send_sigterm_twice():
    send_sigterm()
    send_sigterm()


def test_sigterm_saves_a_checkpoint_and_exits_with_status_143(tmp_path, caplog):
    uninterrupted, inputs = new_model(), DATA["views"]
    settings = {"save_every_steps": None}
    fit(uninterrupted, inputs(), tmp_path / "uninterrupted", **settings)
    handler = signal.getsignal(signal.SIGTERM)
    folder = tmp_path / "a"
    with caplog.at_level(logging.WARNING, "keras_ssl"):
        error = interrupt(
            new_model(), inputs(), folder, 1, 3, send_sigterm, TrainingTerminated, **settings
        )
    assert isinstance(error, SystemExit)
    assert error.code == 143
    message = f"Stopped by SIGTERM; the last checkpoint is in {folder}."
    assert str(error).startswith(message)
    assert caplog.messages == [str(error)]
    assert signal.getsignal(signal.SIGTERM) is handler
    saved = latest_checkpoint(folder)
    assert saved[1:] == (1, 3)
    model = keras.saving.load_model(saved.path)
    fit(model, inputs(), folder, saved=saved, **settings)
    assert_same_state(model, uninterrupted)


def test_a_second_sigterm_does_not_prevent_the_checkpoint(tmp_path):
    interrupt(new_model(), DATA["views"](), tmp_path, 1, 3, send_sigterm_twice, SystemExit)
    assert latest_checkpoint(tmp_path)[1:] == (1, 3)


def test_a_second_sigterm_gets_the_previous_handler_after_the_grace_period(tmp_path, monkeypatch):
    monkeypatch.setattr(sigterm, "GRACE_SECONDS", 0.0)
    signals = []
    handler = signal.signal(signal.SIGTERM, lambda number, frame: signals.append(number))

    def assert_second_is_handled():
        send_sigterm_twice()
        assert signals == [signal.SIGTERM]

    try:
        interrupt(
            new_model(), DATA["views"](), tmp_path, 1, 3, assert_second_is_handled, SystemExit
        )
    finally:
        signal.signal(signal.SIGTERM, handler)


def test_another_sigterm_is_handled_until_the_checkpoint_is_flushed(tmp_path, monkeypatch):
    handlers, handler, flush = [], signal.getsignal(signal.SIGTERM), os.fsync

    class Late(checkpoint.BackgroundCall):
        """Calls the function when the callback waits for it."""

        def start(self, function, *args):
            self.call = lambda: function(*args)

        def wait(self):
            call, self.call = getattr(self, "call", None), None
            if call:
                call()

    def record_handler(descriptor):
        handlers.append(signal.getsignal(signal.SIGTERM))
        flush(descriptor)

    monkeypatch.setattr(checkpoint, "BackgroundCall", Late)
    monkeypatch.setattr(os, "fsync", record_handler)
    interrupt(new_model(), DATA["arrays of views"](), tmp_path, 0, 1, send_sigterm, SystemExit)
    assert latest_checkpoint(tmp_path)[1:] == (0, 1)
    assert handlers
    assert handler not in handlers
    assert signal.getsignal(signal.SIGTERM) is handler


def test_sigterm_at_the_start_of_an_epoch_saves_the_epochs_before_it(tmp_path):
    settings = {"save_every_epochs": 5}
    interrupt(new_model(), DATA["views"](), tmp_path, 2, 0, send_sigterm, SystemExit, **settings)
    assert latest_checkpoint(tmp_path)[1:] == (2, 0)


def test_sigterm_before_the_first_step_saves_nothing(tmp_path):
    error = interrupt(new_model(), DATA["views"](), tmp_path, 0, 0, send_sigterm, SystemExit)
    assert str(error) == "Stopped by SIGTERM; nothing was saved yet."
    assert latest_checkpoint(tmp_path) == (None, 0, 0)


def test_a_fit_that_raises_restores_the_handler_of_sigterm(tmp_path):
    handler = signal.getsignal(signal.SIGTERM)
    interrupt(new_model(), DATA["views"](), tmp_path)
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_damaged_later_checkpoint_does_not_displace_an_intact_one(tmp_path):
    fit(new_model(), DATA["views"](), tmp_path, epochs=2, max_to_keep=9, save_every_steps=None)
    (tmp_path / "00002.keras").write_bytes(b"half a file")
    with pytest.warns(UserWarning, match="damaged"):
        saved = latest_checkpoint(tmp_path)
    model = keras.saving.load_model(saved.path)
    with pytest.warns(UserWarning, match="damaged"):
        interrupt(model, DATA["views"](), tmp_path, saved=saved, max_to_keep=1, save_every_steps=1)
    with pytest.warns(UserWarning, match="damaged"):
        assert latest_checkpoint(tmp_path)[1:] == (1, 2)


@pytest.mark.slow
def test_checkpoint_keeps_only_the_latest_files(tmp_path):
    inputs = DATA["views"]
    fit(new_model(), inputs(), tmp_path, save_every_steps=None)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["00002.keras", "00003.keras"]
    fit(new_model(), inputs(), tmp_path / "one", max_to_keep=1)
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["00003.keras"]
    settings = {"save_every_epochs": 2, "save_every_steps": 3, "max_to_keep": 9}
    fit(new_model(), inputs(), tmp_path / "two", **settings)
    names = ["00000-000003", "00001-000003", "00002", "00002-000003", "00003"]
    assert sorted(path.stem for path in (tmp_path / "two").iterdir()) == sorted(names)


def test_checkpoint_saves_by_minutes_at_the_next_step_or_the_end_of_an_epoch(tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 25)).__next__  # each question of the time takes 25 seconds
    monkeypatch.setattr(checkpoint, "time", types.SimpleNamespace(monotonic=clock))
    settings = {"save_every_epochs": None, "save_every_steps": None, "max_to_keep": 9}
    fit(new_model(), DATA["views"](), tmp_path / "none", **settings)
    assert [path.stem for path in (tmp_path / "none").iterdir()] == ["00003"]  # the last epoch
    fit(new_model(), DATA["views"](), tmp_path / "some", **settings, save_every_minutes=1)
    epochs_and_steps = [saved[:2] for saved in checkpoint_files.list_checkpoints(tmp_path / "some")]
    # The time is asked before each of five steps and at the end of an epoch, and after a save.
    assert epochs_and_steps == [(0, 2), (1, 0), (1, 2), (2, 0), (2, 2), (3, 0)]


def test_several_workers_do_not_save_by_minutes(tmp_path, monkeypatch):
    monkeypatch.setattr(distribute, "has_other_workers", lambda model: True)
    with pytest.raises(ValueError, match="`save_every_minutes` does not support several workers"):
        fit(new_model(), DATA["an array"](), tmp_path, save_every_minutes=1)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["while writing", "before renaming"])
def test_a_run_killed_while_saving_keeps_the_previous_checkpoint(moment, tmp_path, monkeypatch):
    inputs = DATA["views"]
    fit(new_model(), inputs(), tmp_path, epochs=1)
    saved = latest_checkpoint(tmp_path)
    model = keras.saving.load_model(saved.path)

    def write_half_and_kill(path):
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment == "while writing":
            patch.setattr(model, "save", write_half_and_kill)
        else:
            patch.setattr(os, "replace", lambda *args: kill())
        with pytest.raises(KeyboardInterrupt):
            fit(model, inputs(), tmp_path, saved=saved)
    assert latest_checkpoint(tmp_path) == saved
    assert list(tmp_path.glob("unfinished*"))
    fit(keras.saving.load_model(saved.path), inputs(), tmp_path, saved=saved)
    assert latest_checkpoint(tmp_path).epoch == 3
    assert not list(tmp_path.glob("unfinished*"))


def test_a_checkpoint_is_flushed_before_it_is_renamed_and_its_folder_after(tmp_path, monkeypatch):
    operations, replace = [], os.replace

    def record_flush(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        operations.append("flush folder" if is_folder else "flush file")

    def record_rename(*paths):
        operations.append("rename")
        replace(*paths)

    model = new_model()
    monkeypatch.setattr(os, "fsync", record_flush)
    monkeypatch.setattr(os, "replace", record_rename)
    file = checkpoint_files.CheckpointFile(tmp_path, 1, 0)
    file.write(model, {"metrics": []})
    assert not operations  # those of a slow disk are left for the background
    file.complete()
    assert operations == ["flush file", "rename", "flush folder"]


def test_training_goes_on_while_a_checkpoint_is_flushed(tmp_path, monkeypatch):
    next_step, flush = threading.Event(), os.fsync

    def flush_after_next_step(descriptor):
        assert next_step.wait(20)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", flush_after_next_step)
    step = CallBeforeStep(0, 3, next_step.set)
    fit(new_model(), DATA["arrays of views"](), tmp_path, epochs=1, callbacks=[step])
    assert latest_checkpoint(tmp_path).epoch == 1


def test_a_checkpoint_that_cannot_be_flushed_ends_fit(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"step 2 could not be saved in .*: No space left"):
        fit(new_model(), DATA["arrays of views"](), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_raises_and_keeps_the_last_checkpoint(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # bytes of a file

    try:
        error = interrupt(new_model(), DATA["views"](), tmp_path, function=fill_disk, error=OSError)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Earlier checkpoints are intact. Fix the cause, such as a full disk" in str(error)
    saved = latest_checkpoint(tmp_path)
    assert saved[1:] == (1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00001-000002.keras", "00001.keras"]
    keras.saving.load_model(saved.path)


def test_latest_checkpoint_warns_of_a_damaged_file_and_uses_the_previous_one(tmp_path):
    fit(new_model(), DATA["views"](), tmp_path, max_to_keep=9)
    last = sorted(tmp_path.iterdir())[-1]
    intact = last.read_bytes()
    for damaged in (intact[: len(intact) // 2], b"", intact[:3000] + b"\0" * 50 + intact[3050:]):
        last.write_bytes(damaged)
        with pytest.warns(UserWarning, match=r"00003\.keras is damaged.*before it is used"):
            saved = latest_checkpoint(tmp_path)
        assert saved[1:] == (2, 4)
    new_model().save(last)
    with pytest.warns(UserWarning, match=r"00003\.keras was not saved by .*Checkpoint"):
        assert latest_checkpoint(tmp_path)[1:] == (2, 4)


def test_checkpoint_rejects_a_folder_with_later_checkpoints(tmp_path):
    fit(new_model(), DATA["views"](), tmp_path, epochs=2)
    with pytest.raises(
        ValueError, match=r"00002\.keras \(epoch 2, step 0\), and this `fit` starts at"
    ):
        fit(new_model(), DATA["views"](), tmp_path, epochs=2)
    assert latest_checkpoint(tmp_path).epoch == 2


def test_latest_checkpoint_of_a_folder_without_checkpoints_is_none(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"another model")
    assert latest_checkpoint(tmp_path) == (None, 0, 0)
    assert latest_checkpoint(tmp_path / "missing") == (None, 0, 0)


@pytest.mark.parametrize("name", ["max_to_keep", "save_every_epochs", "save_every_steps"])
def test_checkpoint_rejects_zero(name, tmp_path):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1"):
        Checkpoint(tmp_path, **{name: 0})


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"initial_step": 5}, r"`initial_step` .*5 steps"),
        ({"initial_step": -1}, "`initial_step` must be at least 0"),
        ({"initial_epoch": -1}, "`initial_epoch` must be at least 0"),
        ({"initial_step": 1.5}, "`initial_step` must be an int"),
    ],
)
def test_fit_rejects_a_bad_start(start, message):
    with pytest.raises((TypeError, ValueError), match=message):
        new_model().fit(DATA["views"]()["x"], epochs=2, verbose=0, **start)
