"""Networks of KerasHub with random weights as encoders."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from processes import run_python

import keras_ssl
from keras_ssl import encoders

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype="uint8")
UNIT = (IMAGES / 255).astype("float32")
SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "patch_size": 4}


def vit():
    return keras_hub.models.ViTBackbone(image_shape=(16, 16, 3), mlp_dim=16, **SIZES)


def dinov2():
    return keras_hub.models.DINOV2Backbone(
        image_shape=(16, 16, 3),
        intermediate_dim=16,
        num_register_tokens=2,
        use_mask_token=False,  # no method uses it, and Keras warns about unused weights
        **SIZES,
    )


def clip():
    """A small CLIP."""
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
    text = keras_hub.models.CLIPTextEncoder(
        vocabulary_size=20, embedding_dim=8, max_sequence_length=6, **sizes
    )
    image = keras_hub.models.CLIPVisionEncoder(patch_size=4, image_shape=(16, 16, 3), **sizes)
    return keras_hub.models.CLIPBackbone(image, text, projection_dim=5)


def tokens(backbone, images):
    """Tokens of normalized images."""
    is_dict = isinstance(backbone.input, dict)
    return np.asarray(backbone({"images": images} if is_dict else images))


@pytest.mark.parametrize(("make", "mean", "first"), [(vit, 0.5, 1), (dinov2, None, 3)])
def test_keras_hub_features_are_the_class_token_or_the_mean_of_the_patches(make, mean, first):
    backbone = make()
    if mean is None:  # ImageNet's statistics
        normal = (UNIT - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    else:
        normal = (UNIT - mean) / 0.5
    expected = tokens(backbone, normal.astype("float32"))
    features = encoders.keras_hub(backbone)(UNIT)
    np.testing.assert_allclose(features, expected[:, 0], atol=1e-5)
    features = encoders.keras_hub(backbone, pooling="mean")(UNIT)
    np.testing.assert_allclose(features, expected[:, first:].mean(axis=1), atol=1e-5)


def test_keras_hub_averages_maps_and_normalizes_with_mean_and_std():
    backbone = keras_hub.models.ResNetBackbone(
        [64], [3], [64, 64], [1, 1], [1, 2], "basic_block", image_shape=(None, None, 3)
    )
    encoder = encoders.keras_hub(backbone, mean=[0.1, 0.2, 0.3], std=[1.0, 2.0, 4.0])
    normal = ((UNIT - [0.1, 0.2, 0.3]) / [1.0, 2.0, 4.0]).astype("float32")
    expected = np.asarray(backbone(normal)).mean(axis=(1, 2))
    np.testing.assert_allclose(encoder(UNIT), expected, atol=1e-5)


def train(backbone):
    """Returns a method after one step with a backbone as its encoder."""
    model = keras_ssl.SimCLR(backbone, projector=(8,))
    model.compile("sgd")
    history = model.fit(IMAGES, batch_size=6, verbose=0).history
    assert np.isfinite(history["loss"][0])
    return model


@pytest.mark.slow
def test_dinov2_backbone_is_trained_as_an_encoder():
    # The features of a loaded model are not compared: KerasHub updates the positions that
    # inference uses when weights are loaded, but not when they are trained.
    assert train(dinov2()).predict(IMAGES, verbose=0).shape == (6, 8)


@pytest.mark.slow
def test_method_with_a_backbone_is_saved_loaded_and_exported(tmp_path):
    model = train(vit())
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "images.npy", IMAGES)
    script = (
        "import keras, keras_ssl, numpy as np\n"
        "model = keras.saving.load_model('m.keras')\n"
        "np.save('features.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    run_python(script, cwd=tmp_path)
    features = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "features.npy"), features, atol=1e-5)
    model.export_encoder(tmp_path / "encoder")
    loaded = tf.saved_model.load(tmp_path / "encoder")
    np.testing.assert_allclose(loaded.serve(IMAGES), features, atol=1e-5)


def test_classifier_accepts_a_backbone():
    classifier = keras_ssl.models.classifier(vit(), 3)
    assert classifier(UNIT).shape == (6, 3)


@pytest.mark.slow
def test_keras_hub_clip_gives_both_encoders_with_their_weights():
    backbone = clip()
    model = keras_ssl.CLIP(*encoders.keras_hub_clip(backbone), projection=None)
    token_ids = np.array([[1, 5, 19, 0, 0, 0], [1, 4, 3, 19, 0, 0], [1, 19, 0, 0, 0, 0]])
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    normal = ((UNIT - mean) / std).astype("float32")
    expected = backbone.get_vision_embeddings(normal)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(
        model.encode_text(token_ids), backbone.get_text_embeddings(token_ids), atol=1e-5
    )
    model.compile("sgd")
    history = model.fit(IMAGES, np.repeat(token_ids, 2, axis=0), batch_size=6, verbose=0).history
    assert np.isfinite(history["loss"][0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encoders.keras_hub(keras.Sequential()), "must be a keras_hub.models.Backbone"),
        (lambda: encoders.keras_hub(vit(), pooling="all"), "`pooling` must be one of"),
        (lambda: encoders.keras_hub(vit(), mean=[0.5]), "`mean` must have a number for each of 3"),
        (lambda: encoders.keras_hub(clip()), "from images to tokens"),
        (lambda: encoders.keras_hub_clip(vit()), "must be a keras_hub.models.CLIPBackbone"),
    ],
)
def test_keras_hub_rejects_other_networks_and_bad_arguments(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
