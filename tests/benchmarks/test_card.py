"""The script for a machine with a GPU: its stages, their budget and results, its data."""

import inspect
import json
import sys

import card
import card_data
import card_schedule
import card_smoke
import keras
import numpy as np
import pytest

import keras_ssl

ROW = "import json; print(json.dumps({'speed': 2.5}), flush=True)"
FAKES = {
    "smoke": f"{ROW}\nprint('Epoch 1')\nraise ValueError('no such device')",
    "throughput": f"{ROW}\nimport time; time.sleep(60)",
    "race": f"import sys\n{ROW}\nprint(json.dumps({{'arguments': sys.argv[1:]}}))",
}


@pytest.fixture
def fake_stages(tmp_path, monkeypatch):
    """Replaces the stages: the first fails, the second does not end, the third succeeds."""
    for stage, script in FAKES.items():
        (tmp_path / f"card_{stage}.py").write_text(script)
    monkeypatch.setattr(card, "FOLDER", tmp_path)
    monkeypatch.setattr(card, "LIMITS", {"smoke": 30, "throughput": 1})
    monkeypatch.setattr(sys, "argv", ["card.py"])
    for name in ("KERAS_BACKEND", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.setenv(name, "jax")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    return tmp_path / "output"


def test_a_stage_that_fails_or_takes_too_long_keeps_its_rows_and_the_next_ones_run(fake_stages):
    options = card.Options(output=fake_stages, minutes=3, method="byol", total_minutes=0.5)
    with pytest.raises(SystemExit, match="Failed: smoke, throughput"):
        card.main(options)
    stages = json.loads((fake_stages / "card.json").read_text())["stages"]
    assert stages["smoke"]["error"] == "ValueError: no such device"
    assert stages["throughput"]["error"] == "stopped after 1 s, its limit"
    assert stages["race"]["error"] is None
    assert all(stage["rows"][0] == {"speed": 2.5} for stage in stages.values())
    assert "Epoch 1" in (fake_stages / "smoke.log").read_text()
    arguments = stages["race"]["rows"][1]["arguments"]
    assert arguments[arguments.index("--method") + 1] == "byol"
    assert arguments[arguments.index("--minutes") + 1] == "3"
    report = (fake_stages / "card.md").read_text()
    assert "failed: ValueError: no such device\n\n| speed |\n| --- |\n| 2.5 |" in report


def test_results_are_on_disk_after_each_row(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(card, "write", lambda results, output: written.append(str(results)))
    command = [sys.executable, "-c", f"{ROW}\n{ROW}"]
    card.run_stage(command, 30, {"stages": {}}, "race", tmp_path)
    assert [text.count("'speed': 2.5") for text in written] == [1, 2, 2]


def test_cifar_10_is_the_same_after_writing_and_reading(tmp_path):
    rng = np.random.default_rng(0)
    splits = [
        (rng.integers(0, 256, (count, 32, 32, 3), "uint8"), rng.integers(0, 10, count))
        for count in (10, 3)
    ]
    card_data.write_parts(tmp_path, *splits)
    assert all((tmp_path / part).stat().st_size for part in card_data.PARTS)
    for written, read in zip(splits, card_data.read_parts(tmp_path), strict=True):
        for before, after in zip(written, read, strict=True):
            np.testing.assert_array_equal(before, after)
    (tmp_path / card_data.PARTS[1]).unlink()
    with pytest.raises(FileNotFoundError, match=card_data.PARTS[1]):
        card_data.read_parts(tmp_path)


class Clock:
    """A time that the test sets."""

    time = 1000.0

    def __call__(self):
        return self.time


def test_the_learning_rate_is_a_cosine_of_the_time_since_the_first_step_was_compiled():
    clock, rates = Clock(), []
    schedule = card_schedule.CosineByTime(0.5, lambda: 40.0, clock)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    schedule.set_model(model)
    model.stop_training = False
    for epoch in range(9):
        schedule.on_epoch_begin(epoch)
        rates.append(float(model.optimizer.learning_rate))
        for batch in range(3):
            schedule.on_train_batch_begin(batch)
            # 100 seconds of compilation, 3 of two steps, and 10 in later epochs
            clock.time += (100.0, 3.0, 0.0)[batch] if epoch == 0 else (5.0, 5.0, 0.0)[batch]
        schedule.on_epoch_end(epoch)
        if model.stop_training:
            break
    elapsed = np.array([0.0, 3.0, 13.0, 23.0, 33.0])  # a sixth epoch would end at 53 seconds
    np.testing.assert_allclose(rates, 0.25 * (1 + np.cos(np.pi * elapsed / 40)), rtol=1e-6)


def test_the_smoke_test_trains_every_method_that_needs_no_tensorflow():
    bases = (keras_ssl.SelfSupervisedModel, keras_ssl.SemiSupervisedModel, keras_ssl.ImageTextModel)
    methods = {value for value in vars(keras_ssl).values() if inspect.isclass(value)}
    methods = {method for method in methods if issubclass(method, bases)} - set(bases)
    assert {method for method, *_ in card_smoke.METHODS.values()} == methods - {keras_ssl.ReCLIP}


def test_losses_are_compared_relatively_and_errors_are_reported():
    near = card_smoke.compare({"losses": [2.0, 1.0]}, {"losses": [2.001, 1.0]})
    assert near["close"]
    assert near["difference"] == pytest.approx(5e-4, rel=1e-2)
    assert not card_smoke.compare({"losses": [2.0]}, {"losses": [2.01]})["close"]
    assert not card_smoke.compare({"losses": [float("nan")]}, {"losses": [2.0]})["close"]
    broken = card_smoke.compare({"error": "ValueError: no"}, {"losses": [2.0]})
    assert broken["error"] == "ValueError: no"
    assert not broken["close"]
