"""MAE: reconstruction of masked patches from the visible ones."""

import keras
import lazy_loader
import method_checks as checks
import numpy as np
import numpy_transformer as reference
import pytest
import references
from method_spec import NOT_A_BOOL, NOT_A_FRACTION, SCHEDULE, MethodSpec, vit

import keras_ssl

tf = lazy_loader.load("tensorflow")  # other processes import this file on JAX

SPEC = MethodSpec(
    keras_ssl.MAE,
    networks=vit("mean"),
    settings={"decoder": (8, 1, 2)},
    other_values={"decoder": (8, 2, 2), "normalize": False},
    covered_elsewhere=("mask_ratio",),
    invalid_values={
        "decoder": ("big", 8, (), (8, 1), (8, 0, 2), (8, 1.0, 2), (9, 1, 2), None),
        "mask_ratio": (*NOT_A_FRACTION, SCHEDULE),
        "normalize": NOT_A_BOOL,
    },
    representative=True,
)

IMAGES = checks.two_views(6)[0].astype("float64")
MASK = checks.with_masks(keras_ssl.MAE, (IMAGES,))[1]


def split_patches(images):
    """Returns patches of 2 x 2 pixels, row by row."""
    rows = [
        images[:, i : i + 2, j : j + 2].reshape(len(images), -1)
        for i in range(0, 8, 2)
        for j in range(0, 8, 2)
    ]
    return np.stack(rows, axis=1)


def reconstruct_patches(model, images, mask):
    """Returns the patches that the decoder predicts, image by image."""
    keep = np.stack([np.flatnonzero(~row) for row in mask])
    tokens, _ = reference.tokens(model.encoder, images, keep=keep)
    decoder = model.patch_decoder
    seen = reference.dense(tokens[:, 2:], decoder.embed)  # after the class token, one register
    x = np.repeat(np.asarray(decoder.mask_token), len(images), axis=0).repeat(16, axis=1)
    for image, rows in enumerate(keep):
        x[image, rows] = seen[image]
    x = x + np.asarray(decoder.positions.embeddings).reshape(16, -1)
    x = np.concatenate([reference.dense(tokens[:, :1], decoder.embed), x], axis=1)
    for block in decoder.blocks:
        x, _ = reference.through(x, block)
    return reference.dense(reference.layer_norm(x, decoder.norm)[:, 1:], decoder.to_pixels)


@pytest.mark.parametrize("normalize", [True, False])
def test_mae_loss_matches_the_paper(normalize, float64):
    model = checks.make("MAE", normalize=normalize)
    target = split_patches(IMAGES)
    if normalize:
        mean, variance = target.mean(-1, keepdims=True), target.var(-1, ddof=1, keepdims=True)
        target = (target - mean) / np.sqrt(variance + 1e-6)
    expected = np.mean((reconstruct_patches(model, IMAGES, MASK) - target)[MASK] ** 2)
    found = references.one_step(model, (IMAGES, IMAGES))["loss"]
    assert found == pytest.approx(expected, rel=1e-9)


def test_mae_reconstruction_ignores_masked_pixels(float64):
    model = checks.make("MAE")
    other = IMAGES.copy()
    for image, row in enumerate(MASK):
        for patch in np.flatnonzero(row):
            i, j = 2 * (patch // 4), 2 * (patch % 4)
            other[image, i : i + 2, j : j + 2] = 0.5
    found, expected = (model.predict_patches(x, MASK) for x in (other, IMAGES))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_mae_reconstruction_keeps_visible_patches():
    model = checks.make("MAE")
    images = IMAGES.astype("float32")
    for shown, is_gray in zip(model.reconstruct(images, MASK), (True, False), strict=True):
        np.testing.assert_allclose(
            split_patches(shown)[~MASK], split_patches(images)[~MASK], atol=1e-6
        )
        assert np.all(split_patches(shown)[MASK] == 0.5) == is_gray


def test_mae_reconstruction_from_exact_predictions_is_the_image(float64, monkeypatch):
    model, patches = checks.make("MAE"), split_patches(IMAGES)
    mean, variance = patches.mean(-1, keepdims=True), patches.var(-1, ddof=1, keepdims=True)
    exact = (patches - mean) / np.sqrt(variance + 1e-6)
    monkeypatch.setattr(model, "predict_patches", lambda images, mask: exact)
    _, reconstructed = model.reconstruct(IMAGES, MASK)
    np.testing.assert_allclose(reconstructed, IMAGES, atol=1e-9)


def test_mae_reconstructs_images_larger_than_the_input_shape():
    model = checks.make("MAE")
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype="uint8")
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    history = model.fit(images, batch_size=8, epochs=2, verbose=0).history
    assert np.all(np.isfinite(history["loss"]))


def ready(images=IMAGES, mask=MASK):
    return tf.data.Dataset.from_tensors(((images.astype("float32"), mask),))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: ready(mask=MASK[:, :-1]), "must cover 11 of 15 patches"),
        (
            lambda: ready(mask=~MASK),
            r"must cover 12 of 16 patches, as `mask_ratio` requires; received",
        ),
        (lambda: ready(mask=IMAGES), r"must be masks of patches, shape \(6, N\)"),
        (lambda: tf.data.Dataset.from_tensors(((IMAGES,),)), "MAE takes images and masks"),
    ],
)
def test_mae_rejects_invalid_masks_before_training(data, message):
    model = checks.make("MAE")
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        model.fit(data(), verbose=0)


def test_mae_requires_a_vision_transformer():
    with pytest.raises(TypeError, match="`encoder` must be a vision transformer"):
        keras_ssl.MAE(checks.small_encoder())


def test_mae_rejects_a_mask_of_all_patches_or_none():
    for ratio in (0.0, 1.0):
        model = checks.make("MAE", mask_ratio=ratio)
        model.compile("sgd", run_eagerly=True)
        with pytest.raises(ValueError, match="must mask at least one patch and leave one visible"):
            model.fit(np.zeros((8, 8, 8, 3), "uint8"), batch_size=8, verbose=0)
