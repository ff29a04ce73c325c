import keras
import numpy as np
import numpy_layers as reference
import pytest

from keras_ssl.encoders import blocks, resnet18, small_resnet

RGB = list(zip(reference.RGB_MEAN, reference.RGB_STD, strict=True))
GRAY = (reference.RGB_MEAN.mean(), reference.RGB_STD.mean())


def normalize(images):
    inputs, normalized = blocks.image_input((None, None, images.shape[-1]))
    return np.asarray(keras.Model(inputs, normalized)(images))


@pytest.mark.parametrize(
    "channels",
    [RGB, [*RGB, (0.5, 0.5)], [GRAY], [GRAY] * 2, [GRAY] * 5],
    ids=["rgb", "rgba", "gray", "two", "five"],
)
def test_image_input_normalizes_each_channel(channels):
    mean, std = (np.array(values) for values in zip(*channels, strict=True))
    at_mean = np.broadcast_to(mean, (1, 4, 5, len(mean))).astype("float32")
    np.testing.assert_allclose(normalize(at_mean), 0, atol=1e-6)
    white = normalize(np.ones_like(at_mean))
    np.testing.assert_allclose(white, np.broadcast_to((1 - mean) / std, white.shape), rtol=1e-5)


def test_encoder_sees_zeros_for_an_image_at_the_channel_means():
    encoder = small_resnet((8, 8, 3), width=4)
    reference.randomize(encoder)
    unnormalized = keras.Model(encoder.get_layer("stem_conv").input, encoder.output)
    at_mean = np.broadcast_to(reference.RGB_MEAN, (1, 8, 8, 3)).astype("float32")
    features = np.asarray(encoder(at_mean))
    expected = np.asarray(unnormalized(np.zeros_like(at_mean)))
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert np.abs(features - np.asarray(encoder(np.zeros_like(at_mean)))).max() > 1e-2


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_images_are_normalized_in_float32_under_half_precision(policy):
    keras.config.set_dtype_policy(policy)
    levels = np.linspace(0, 1, 256, dtype="float32").reshape(1, 16, 16, 1)
    np.testing.assert_allclose(normalize(levels), (levels - GRAY[0]) / GRAY[1], atol=1e-5)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize("strides", [1, 2])
def test_convolutions_pad_with_equal_zeros_on_every_side(size, kernel_size, strides, rng):
    images = keras.Input((None, None, 2))
    maps = blocks.conv(images, 4, kernel_size, strides, name="conv")
    model = keras.Model(images, maps)
    x = rng.normal(size=(2, size, size, 2)).astype("float32")
    expected = reference.conv(x, model, "conv", strides)
    np.testing.assert_allclose(np.asarray(model(x)), expected, atol=1e-5)


def test_convolution_kernels_have_variance_two_over_fan_out_and_depend_on_layer_and_seed():
    def kernels(seed):
        keras.utils.set_random_seed(seed)
        images = keras.Input((8, 8, 64))
        maps = [blocks.conv(images, 128, 3, name=name) for name in ("first", "second")]
        model = keras.Model(images, maps)
        return [np.asarray(layer.kernel) for layer in model.layers[1:]]

    first, second = kernels(1)
    assert first.std() == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)
    assert np.abs(first - second).max() > 0
    np.testing.assert_array_equal(kernels(1)[0], first)
    assert np.abs(kernels(2)[0] - first).max() > 0


@pytest.mark.parametrize("block", [blocks.basic_block, blocks.bottleneck_block])
def test_block_with_zero_gamma_starts_as_its_shortcut(block, rng):
    filters = {blocks.basic_block: 8, blocks.bottleneck_block: 2}[block]
    maps = keras.Input((None, None, 8))
    model = keras.Model(maps, block(maps, filters, 1, gamma="zeros", name="block"))
    x = rng.random((2, 5, 5, 8), "float32")
    np.testing.assert_array_equal(np.asarray(model(x)), x)


def test_encoders_ignore_the_global_image_data_format(monkeypatch):
    x = np.random.default_rng(0).random((1, 9, 12, 3), "float32")
    keras.config.set_image_data_format("channels_first")
    try:
        shapes = [
            encoder(x).shape
            for encoder in (small_resnet((9, 12, 3), 4), resnet18((9, 12, 3), width=4))
        ]
    finally:
        keras.config.set_image_data_format("channels_last")
    assert shapes == [(1, 32), (1, 32)]


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((32, 32), TypeError, r"`input_shape` must be \(height, width, channels\), received \(32"),
        (32, TypeError, "received 32"),
        ((32, 32, None), ValueError, r"channels an int above 0.* received \(32, 32, None\)"),
        ((32, 0, 3), ValueError, r"received \(32, 0, 3\)"),
        ((32.0, 32, 3), ValueError, r"received \(32\.0, 32, 3\)"),
        ((32, 32, True), ValueError, "received"),
        ((3, 32, 40), ValueError, r"channels come last. Pass \(32, 40, 3\)"),
    ],
)
def test_encoders_reject_a_bad_input_shape(shape, error, message):
    with pytest.raises(error, match=message):
        small_resnet(shape)
