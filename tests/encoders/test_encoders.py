"""What is true of every convolutional encoder."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import numpy_layers as reference
import pytest
import tensorflow as tf
from processes import run_python

from keras_ssl import encoders

ENCODERS = {
    "small_resnet": lambda channels=3: encoders.small_resnet((32, 32, channels), width=4),
    "resnet18": lambda channels=3: encoders.resnet18((32, 32, channels), width=8),
    "resnet18 for CIFAR": lambda channels=3: encoders.resnet18(
        (32, 32, channels), stem="cifar", width=2
    ),
    "resnet50": lambda channels=3: encoders.resnet50((None, None, channels), width=2),
    "wide_resnet": lambda channels=3: encoders.wide_resnet((32, 32, channels), depth=10, width=1),
}
ON_JAX = ["small_resnet", "resnet18"]
every_encoder = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n == "resnet50" else n for n in ENCODERS],
)


def make_encoder(name):
    encoder = ENCODERS[name]()
    reference.randomize(encoder)
    return encoder


def images(height, width, channels=3, count=2):
    return np.random.default_rng(0).random((count, height, width, channels), "float32")


@every_encoder
def test_encoder_takes_images_of_any_size(name):
    encoder = make_encoder(name)
    for size in ((32, 32), (18, 18), (17, 23), (96, 96), (8, 8)):
        features = np.asarray(encoder(images(*size)))
        assert features.shape == (2, encoder.output_shape[-1])
        assert np.all(np.isfinite(features))
        assert np.abs(features[0] - features[1]).max() > 1e-5, size


@every_encoder
@pytest.mark.parametrize("channels", [1, 4])
def test_encoder_takes_gray_and_rgba_images(name, channels):
    encoder = ENCODERS[name](channels)
    assert encoder(images(16, 16, channels)).shape == (2, encoder.output_shape[-1])


@every_encoder
def test_encoder_features_are_floatx_whatever_the_precision_policy(name):
    expected = np.asarray(make_encoder(name)(images(16, 16)))
    for policy, tolerance in (("mixed_float16", 0.02), ("mixed_bfloat16", 0.1)):
        keras.config.set_dtype_policy(policy)
        features = np.asarray(make_encoder(name)(images(16, 16)))
        assert features.dtype == "float32"
        assert np.linalg.norm(features - expected) < tolerance * np.linalg.norm(expected)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    features = np.asarray(make_encoder(name)(images(16, 16)))
    assert features.dtype == "float64"
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-5)


@every_encoder
def test_every_weight_of_an_encoder_gets_a_gradient(name):
    encoder = make_encoder(name)
    with tf.GradientTape() as tape:
        features = encoder(images(16, 16, count=4), training=True)
        loss = tf.reduce_sum(tf.square(features))
    for weight, gradient in zip(
        encoder.trainable_weights, tape.gradient(loss, encoder.trainable_weights), strict=True
    ):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 0, weight.path


@every_encoder
def test_saved_encoder_consists_of_keras_layers_and_gives_the_same_features(name, tmp_path):
    encoder = make_encoder(name)
    encoder.save(tmp_path / "e.keras")
    loaded = keras.saving.load_model(tmp_path / "e.keras")
    np.testing.assert_array_equal(loaded(images(20, 24)), encoder(images(20, 24)))
    config = json.dumps(keras.saving.serialize_keras_object(encoder))
    modules = re.findall(r'"module": "([^"]*)"', config)
    assert len(modules) > len(encoder.layers)
    assert all(module.split(".")[0] == "keras" for module in modules)
    assert "keras_ssl" not in config


@pytest.fixture(scope="module")
def jax_features(tmp_path_factory):
    """Features on JAX, of encoders loaded without keras_ssl and of encoders built on JAX."""
    folder = tmp_path_factory.mktemp("jax")
    np.save(folder / "images.npy", images(20, 24))
    expected = {}
    for name in ON_JAX:
        encoder = make_encoder(name)
        encoder.save(folder / f"{name}.keras")
        encoder.save_weights(folder / f"{name}.weights.h5")
        expected[name] = np.asarray(encoder(images(20, 24)))
    script = (
        "import sys, keras, numpy as np\n"
        "images = np.load('images.npy')\n"
        "def save(kind, name, encoder):\n"
        "    np.save(f'{kind} {name}.npy', encoder.predict_on_batch(images))\n"
        "sys.modules['keras_ssl'] = None\n"
        f"for name in {ON_JAX}:\n"
        "    save('loaded', name, keras.saving.load_model(f'{name}.keras'))\n"
        "del sys.modules['keras_ssl']\n"
        "import test_encoders\n"
        f"for name in {ON_JAX}:\n"
        "    encoder = test_encoders.ENCODERS[name]()\n"
        "    encoder.load_weights(f'{name}.weights.h5')\n"
        "    save('built', name, encoder)\n"
    )
    run_python(script, cwd=folder, path=[Path(__file__).parent], KERAS_BACKEND="jax")
    return folder, expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_JAX)
def test_saved_encoder_loads_on_jax_without_keras_ssl(name, jax_features):
    folder, expected = jax_features
    features = np.load(folder / f"loaded {name}.npy")
    np.testing.assert_allclose(features, expected[name], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_JAX)
def test_encoder_built_on_jax_with_the_same_weights_gives_the_same_features(name, jax_features):
    folder, expected = jax_features
    features = np.load(folder / f"built {name}.npy")
    assert features.dtype == "float32"
    assert expected[name].std() > 1e-2
    np.testing.assert_allclose(features, expected[name], rtol=1e-4, atol=1e-4)
