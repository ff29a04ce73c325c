import keras
import method_checks as checks
import numpy as np
import pytest

import keras_ssl
from keras_ssl.encoders.classifier import extract_encoder


def test_classifier_is_the_encoder_and_a_dense_layer(rng):
    encoder, images = checks.small_encoder(), rng.random((5, 8, 8, 3), dtype="float32")
    classifier = keras_ssl.models.classifier(encoder, 4)
    dense = classifier.layers[-1]
    expected = np.asarray(encoder(images)) @ np.asarray(dense.kernel) + np.asarray(dense.bias)
    np.testing.assert_allclose(classifier(images), expected, atol=1e-6)
    assert encoder in classifier.layers


def test_classifier_logits_are_float32_in_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    classifier = keras_ssl.models.classifier(checks.small_encoder(), 4)
    assert classifier(np.zeros((1, 8, 8, 3), "float32")).dtype == "float32"


def test_training_a_classifier_does_not_change_a_frozen_encoder():
    encoder = checks.small_encoder()
    encoder.trainable = False
    model = keras_ssl.FixMatch(keras_ssl.models.classifier(encoder, 4), threshold=0.0)
    model.rate = 0.1
    before = checks.arrays(encoder.weights)
    checks.train(model, checks.two_views(16))
    for new, old in zip(encoder.weights, before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_extract_encoder_returns_the_features_before_the_last_layer(rng):
    encoder, images = checks.small_encoder(), rng.random((5, 8, 8, 3), dtype="float32")
    extracted = extract_encoder(keras_ssl.models.classifier(encoder, 4))
    np.testing.assert_array_equal(extracted(images), encoder(images))


def test_extract_encoder_rejects_a_model_without_features():
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(images))
    with pytest.raises(ValueError, match="has no last layer that takes features"):
        extract_encoder(keras.Model(images, x))


def test_classifier_rejects_an_ema_copy_and_a_method():
    byol = checks.make("BYOL")
    with pytest.raises(ValueError, match=r"`encoder` has no weights to train: .* one by one"):
        keras_ssl.models.classifier(byol.momentum_encoder, 4)
    with pytest.raises(ValueError, match=r"`encoder` is a BYOL, .* `model.encoder`"):
        keras_ssl.models.classifier(byol, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet", 4), "`encoder` must be a keras.Model"),
        ((None, 1), "`num_classes` must be at least 2, received 1"),
        ((None, "ten"), "`num_classes` must be an int, received 'ten'"),
    ],
)
def test_classifier_rejects_a_bad_argument(arguments, message):
    encoder, classes = arguments
    with pytest.raises((TypeError, ValueError), match=message):
        keras_ssl.models.classifier(encoder or checks.small_encoder(), classes)
