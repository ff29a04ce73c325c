import importlib

import keras
import numpy as np
import pytest

import keras_ssl
from keras_ssl.encoders.keras_application import keras_application
from keras_ssl.training.step.batch_norm import batch_norm_layers


def network_in(encoder):
    (network,) = [layer for layer in encoder.layers if isinstance(layer, keras.Model)]
    return network


def images(size=32, channels=3, count=2):
    return np.random.default_rng(0).random((count, size, size, channels), "float32")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("ResNet50", 32),  # BGR less a mean
        ("MobileNetV2", 32),  # -1..1
        ("EfficientNetB0", 32),  # 0..255
        ("ConvNeXtTiny", 32),  # 0..255
        ("DenseNet121", 32),  # standardized channels
    ],
)
def test_keras_application_applies_the_networks_preprocessing(name, size):
    encoder = keras_application(name, input_shape=(size, size, 3))
    network, x = network_in(encoder), images(size)
    module = importlib.import_module(getattr(keras.applications, name).__module__)
    expected = np.asarray(network(module.preprocess_input(255 * x)))
    largest = np.abs(expected).max()  # random weights may make features tiny
    np.testing.assert_allclose(np.asarray(encoder(x)), expected, rtol=0, atol=1e-4 * largest)
    assert np.abs(np.asarray(network(x)) - expected).max() > 1e-2 * largest


def test_keras_application_repeats_gray_images_to_three_channels():
    encoder = keras_application("MobileNet", input_shape=(None, None, 1))
    color = keras_application("MobileNet")
    color.set_weights(encoder.get_weights())
    gray = images(channels=1)
    expected = np.asarray(color(np.repeat(gray, 3, axis=-1)))
    np.testing.assert_allclose(np.asarray(encoder(gray)), expected, rtol=1e-4)


def test_keras_application_takes_images_of_any_size_and_returns_float32():
    encoder = keras_application("MobileNet", input_shape=(32, 32, 3))
    assert [encoder(images(size)).shape for size in (32, 40, 97)] == [(2, 1024)] * 3
    keras.config.set_dtype_policy("mixed_float16")
    assert keras_application("MobileNet")(images()).dtype == "float32"


@pytest.mark.slow
def test_keras_application_trains_with_simclr_and_is_saved_and_exported(tmp_path):
    model = keras_ssl.SimCLR(keras_application("MobileNet"), projector=(8,))
    norms = [layer for layer in batch_norm_layers(model) if "bn" in layer.name]
    assert len(norms) == 27  # one for each convolution, found inside the nested network
    model.compile(keras.optimizers.SGD(0.01))
    before = model.encoder.get_weights()
    views = (images(count=4), 1 - images(count=4))
    assert np.isfinite(model.fit(views, batch_size=4, verbose=0).history["loss"][0])
    changed = [np.any(a != b) for a, b in zip(model.encoder.get_weights(), before, strict=True)]
    assert sum(changed) == len(network_in(model.encoder).weights)  # all but preprocessing

    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    pixels = (255 * views[0]).astype("uint8")
    expected = model.predict(pixels, verbose=0)
    np.testing.assert_array_equal(loaded.predict(pixels, verbose=0), expected)

    model.export_encoder(tmp_path / "encoder")
    served = keras.layers.TFSMLayer(tmp_path / "encoder", call_endpoint="serve")(pixels)
    np.testing.assert_allclose(served, expected, rtol=1e-3, atol=1e-5)


def test_bare_network_of_keras_applications_is_an_encoder_of_pixels_in_0_to_1():
    network = keras.applications.MobileNet(
        include_top=False, pooling="avg", weights=None, input_shape=(32, 32, 3)
    )
    model = keras_ssl.SimCLR(network, projector=(8,))
    pixels = (255 * images()).astype("uint8")
    expected = np.asarray(network(pixels.astype("float32") / 255))
    tolerance = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(model.predict(pixels, verbose=0), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"name": "mobilenet_v2"},
            ValueError,
            r"received 'mobilenet_v2'\. Did you mean MobileNetV2",
        ),
        (
            {"name": "resnet"},
            ValueError,
            r"Did you mean ResNet50.*All networks: ConvNeXtBase, .*Xception",
        ),
        ({"name": 3}, ValueError, "`name` must be a network of keras.applications, received 3"),
        (
            {"input_shape": (32, 32, 4)},
            ValueError,
            "has 4 channels; keras.applications take 3, or 1",
        ),
        (
            {"input_shape": (32, 32)},
            TypeError,
            r"`input_shape` must be \(height, width, channels\)",
        ),
        ({"input_shape": (8, 8, 3)}, ValueError, r"\(8, 8, 3\) does not pass .* too small"),
        ({"weights": "imagnet"}, ValueError, "`weights`.*imagnet"),
        ({"name": "NASNetMobile"}, ValueError, "must have a height and a width for NASNetMobile"),
    ],
)
def test_keras_application_rejects_a_bad_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        keras_application(**{"name": "MobileNetV2", **arguments})


def test_keras_application_rejects_channels_first():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"set_image_data_format\('channels_last'\)"):
            keras_application("MobileNet")
    finally:
        keras.config.set_image_data_format("channels_last")
