"""What every method promises, asked of each in turn."""

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf
from processes import run_python

import keras_ssl

each_method = pytest.mark.parametrize("name", checks.METHODS)


@pytest.mark.parametrize("name", sorted(set(checks.METHODS) - {"ReCLIP"}))  # whose labels change
def test_the_loss_falls_on_one_repeated_batch(name):
    history = checks.train(checks.make(name), checks.two_views(16), epochs=30)
    assert np.all(np.isfinite(history["loss"]))
    assert history["loss"][-1] < history["loss"][0] - 0.05


@each_method
def test_one_step_moves_every_trainable_weight(name):
    model = checks.make(name)
    before = checks.arrays(model.trainable_weights)
    checks.train(model, checks.two_views(16), epochs=1)
    after = checks.arrays(model.trainable_weights)
    for weight, new, old in zip(model.trainable_weights, after, before, strict=True):
        if not weight.path.endswith("key/bias"):  # a softmax takes off what all keys share
            assert np.abs(new - old).max() > 0, weight.path


@each_method
def test_evaluate_moves_nothing(name):
    model = checks.make(name)
    checks.train(model, checks.two_views(16), epochs=1)
    before = model.get_weights()
    checks.evaluate(model, checks.two_views(16))
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@each_method
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


@each_method
def test_half_precision_moves_weights_as_far_as_full(name):
    def update(policy):
        keras.config.set_dtype_policy(policy)
        model = checks.make(name)
        before = checks.arrays(model.trainable_weights)
        optimizer = keras.optimizers.SGD(checks.RATES.get(name, 0.1))
        if policy == "mixed_float16":  # Keras's first scale overflows, and skips the step
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**7)
        # One step: after it, rounding grows by itself where batch norm sees 16 rows.
        checks.train(model, checks.two_views(16), optimizer=optimizer, epochs=1, run_eagerly=True)
        after = checks.arrays(model.trainable_weights)
        return np.concatenate([(a - b).ravel() for a, b in zip(after, before, strict=True)])

    full = update("float32")
    for policy in checks.HALF:
        assert np.linalg.norm(update(policy) - full) < 0.5 * np.linalg.norm(full), policy


@each_method
def test_swapping_the_views_changes_nothing_where_the_paper_is_symmetric(name, float64):
    if name not in checks.SYMMETRIC:
        return
    model = checks.make(name)
    model.compile("sgd")
    first, second = checks.two_views(16)
    swapped = checks.evaluate(model, (second, first))
    np.testing.assert_allclose(swapped, checks.evaluate(model, (first, second)), atol=1e-12)


@each_method
def test_every_hyper_parameter_changes_the_loss(name):
    def loss(**kwargs):
        model = checks.make(name, **kwargs)
        return checks.train(model, checks.two_views(16), epochs=4, run_eagerly=True)["loss"][-1]

    usual = loss()
    for argument, value in checks.OTHER_VALUES[name].items():
        assert loss(**{argument: value}) != pytest.approx(usual, rel=1e-4), argument


def fit_images(name, seed=0):
    """Loss curve and weights after training on plain images with the method's own views."""
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype="uint8")
    own = {"num_unlabeled": 16} if name == "FlexMatch" else {}
    model = checks.make(name, seed=seed, **own)
    model.compile(keras.optimizers.SGD(checks.RATES.get(name, 0.1)))
    if name in checks.FEW_LABELS:
        both = tf.data.Dataset.from_tensor_slices((images, checks.labels(16)))
        x = keras_ssl.data.semi_supervised(both.take(8), both, 4, unlabeled_ratio=2, seed=seed)
        history = model.fit(x, epochs=2, verbose=0).history
    else:
        y = checks.given(model, (images,))[1]
        history = model.fit(images, y, batch_size=8, epochs=2, verbose=0).history
    return history["loss"], model.get_weights()


@each_method
def test_plain_images_are_trained_on_with_the_papers_views(name):
    curve, weights = fit_images(name)
    assert np.all(np.isfinite(curve))
    before = checks.make(name).get_weights()
    assert any(np.abs(a - b).max() > 0 for a, b in zip(weights, before, strict=True))


@pytest.mark.parametrize("name", ["FlexMatch", "MoCo", "SimCLR"])
def test_one_seed_gives_one_curve_and_the_same_weights_from_plain_images(name):
    (curve, weights), (again, same) = fit_images(name), fit_images(name)
    assert curve == again
    for found, expected in zip(same, weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert fit_images(name, seed=1)[0] != curve


def test_the_exports_equal_predict_where_keras_ssl_is_absent(tmp_path, rng):
    images = rng.integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for name in checks.METHODS:
        model = checks.make(name)
        if name in (*checks.FEW_LABELS, "ReCLIP"):  # of which `predict` returns logits
            model.export(tmp_path / name, verbose=False)
        else:
            model.export_encoder(tmp_path / name)
        place = f"{name}/image" if name == "CLIP" else name
        expected[place] = model.predict(images, verbose=0)
    model.export(tmp_path / "keras", verbose=False)
    expected["keras"] = expected[place]
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        "sys.modules['keras_ssl'] = sys.modules['keras'] = None\n"
        "images = np.load('images.npy')\n"
        "for name in sys.argv[1:]:\n"
        "    loaded = tf.saved_model.load(name)\n"
        "    np.save(name + '.npy', loaded.serve(images))\n"
    )
    run_python(script, *expected, cwd=tmp_path)
    for name, features in expected.items():
        found = np.load(tmp_path / f"{name}.npy")
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, features, atol=1e-6, err_msg=name)
