"""What every method promises, asked of each in turn."""

import os
import subprocess
import sys

import keras
import method_checks as checks
import numpy as np
import pytest
from processes import run_python

pytestmark = pytest.mark.parametrize("name", checks.METHODS)


def test_the_loss_falls_on_one_repeated_batch(name):
    history = checks.train(checks.make(name), checks.two_views(16), epochs=30)
    assert np.all(np.isfinite(history["loss"]))
    assert history["loss"][-1] < history["loss"][0] - 0.05


def test_one_step_moves_every_trainable_weight(name):
    model = checks.make(name)
    before = checks.arrays(model.trainable_weights)
    checks.train(model, checks.two_views(16), epochs=1)
    after = checks.arrays(model.trainable_weights)
    for weight, new, old in zip(model.trainable_weights, after, before, strict=True):
        assert np.abs(new - old).max() > 0, weight.path


def test_evaluate_moves_nothing(name):
    model = checks.make(name)
    checks.train(model, checks.two_views(16), epochs=1)
    before = model.get_weights()
    model.evaluate(checks.two_views(16), verbose=0)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_loaded_model_goes_on_as_the_saved_one(name, tmp_path, float64):
    model = checks.make(name, seed=3)
    checks.train(model, checks.two_views())
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert type(loaded) is type(model)
    assert loaded.seed == 3
    more = checks.two_views(seed=5)
    expected = checks.numbers(model, checks.train(model, more))
    checks.assert_equal(checks.numbers(loaded, checks.train(loaded, more)), expected, 0)


def test_two_replicas_equal_one_device(name, float64, replicas):
    single = checks.make(name)
    expected = checks.numbers(single, checks.train(single, checks.two_views()))
    with replicas.scope():
        model = checks.make(name)
        found = checks.numbers(model, checks.train(model, checks.two_views()))
    checks.assert_equal(found, expected)


@pytest.mark.parametrize("where", ["jax", "two devices of jax", "four replicas"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_jax_and_four_replicas_equal_one_device_here(name, where, batch_norm, float64, elsewhere):
    model = checks.make(name, batch_norm)
    expected = checks.numbers(model, checks.train(model, checks.two_views()))
    prefix = f"{name}/{batch_norm}/"
    found = {k.removeprefix(prefix): v for k, v in elsewhere[where].items() if prefix in k}
    checks.assert_equal(found, expected)


@pytest.mark.parametrize("policy", checks.ON_REPLICAS)
def test_every_precision_on_four_replicas_is_near_one_device(name, policy, elsewhere):
    keras.config.set_dtype_policy(policy)
    model = checks.make(name)
    expected = checks.numbers(model, checks.train(model, checks.two_views()))
    prefix = f"{name}/{policy}/"
    found = {k.removeprefix(prefix): v for k, v in elsewhere["precisions"].items() if prefix in k}
    checks.assert_equal(found, expected, checks.ON_REPLICAS[policy])


@pytest.mark.parametrize("policy", checks.HALF)
def test_half_precision_moves_weights_as_far_as_full(name, policy):
    def update():
        model = checks.make(name)
        before = checks.arrays(model.trainable_weights)
        checks.train(model, checks.two_views(), optimizer=keras.optimizers.SGD(0.1), epochs=4)
        after = checks.arrays(model.trainable_weights)
        return np.concatenate([(a - b).ravel() for a, b in zip(after, before, strict=True)])

    full = update()
    keras.config.set_dtype_policy(policy)
    half = update()
    assert np.linalg.norm(half - full) < 0.2 * np.linalg.norm(full)


def test_swapping_the_views_changes_nothing_where_the_paper_is_symmetric(name, float64):
    if name not in checks.SYMMETRIC:
        return
    model = checks.make(name)
    model.compile("sgd")
    first, second = checks.two_views(16)
    swapped = model.evaluate((second, first), batch_size=16, verbose=0)
    assert swapped == pytest.approx(
        model.evaluate((first, second), batch_size=16, verbose=0), abs=1e-12
    )


def test_every_hyper_parameter_changes_the_loss(name):
    def first_loss(**kwargs):
        return checks.train(checks.make(name, **kwargs), checks.two_views(16), epochs=1)["loss"][0]

    for argument, value in checks.OTHER_VALUES[name].items():
        assert first_loss(**{argument: value}) != pytest.approx(first_loss(), rel=1e-4), argument


def test_one_seed_gives_one_curve_and_the_same_weights_from_plain_images(name, rng):
    images = rng.integers(0, 256, (40, 8, 8, 3), dtype="uint8")

    def run(seed):
        model = checks.make(name, seed=seed)
        model.compile(keras.optimizers.SGD(0.1))
        history = model.fit(images, batch_size=8, epochs=3, verbose=0).history
        return history["loss"], model.get_weights()

    (curve, weights), (again, same) = run(0), run(0)
    assert curve == again
    for found, expected in zip(same, weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert run(1)[0] != curve


def test_the_export_equals_predict_where_keras_ssl_is_absent(name, tmp_path, rng):
    model = checks.make(name)
    images = rng.integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    model.export_encoder(tmp_path / "ours")
    model.export(tmp_path / "keras", verbose=False)
    np.save(tmp_path / "images.npy", images)
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        "sys.modules['keras_ssl'] = sys.modules['keras'] = None\n"
        "images = np.load('images.npy')\n"
        "for name in ('ours', 'keras'):\n"
        "    loaded = tf.saved_model.load(name)\n"
        "    np.save(name + '.npy', loaded.serve(images))\n"
    )
    run_python(script, cwd=tmp_path)
    for export in ("ours", "keras"):
        found = np.load(tmp_path / f"{export}.npy")
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, model.predict(images, verbose=0), atol=1e-6)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """What each method gives in other processes: on the JAX backend, and on four replicas."""
    folder = tmp_path_factory.mktemp("elsewhere")
    runs = {
        "jax": ("one_device", {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}),
        "two devices of jax": ("data_parallel", {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}),
        "four replicas": ("mirrored", {"KERAS_BACKEND": "tensorflow"}),
        "precisions": ("precisions", {"KERAS_BACKEND": "tensorflow"}),
    }
    started = {}
    for where, (option, environment) in runs.items():
        command = [sys.executable, checks.__file__, str(folder / f"{option}.npz"), option]
        started[where] = subprocess.Popen(
            command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
        )
    for process in started.values():
        _, errors = process.communicate()
        assert process.returncode == 0, errors[-3000:]
    return {where: dict(np.load(folder / f"{runs[where][0]}.npz")) for where in runs}
