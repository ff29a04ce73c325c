"""Vision transformers against NumPy code written from the papers."""

import keras
import numpy as np
import numpy_transformer as reference
import pytest

from keras_ssl import encoders
from keras_ssl.layers.position_embedding import GridPositionEmbedding

IMAGES = np.random.default_rng(0).random((3, 8, 12, 3))


def make_encoder(**kwargs):
    """A small vision transformer with random weights."""
    settings = {"width": 12, "depth": 2, "heads": 3, "registers": 2, **kwargs}
    encoder = encoders.vit((8, 12, 3), 4, **settings)
    rng = np.random.default_rng(1)
    for weight in encoder.weights:
        weight.assign(rng.normal(0.1, 0.4, weight.shape))
    return encoder


@pytest.mark.parametrize("layer_scale", [None, 0.5])
def test_vit_tokens_features_and_attention_are_those_of_the_papers(layer_scale, float64):
    encoder = make_encoder(layer_scale=layer_scale)
    expected, scores = reference.tokens(encoder, IMAGES)
    tokens = encoder.tokens(IMAGES)
    np.testing.assert_allclose(tokens.class_token, expected[:, 0], atol=1e-10)
    np.testing.assert_allclose(tokens.patches, expected[:, 3:], atol=1e-10)
    np.testing.assert_allclose(encoder(IMAGES), expected[:, 0], atol=1e-10)
    maps = scores[:, :, 0, 3:].reshape(3, 3, 2, 3)
    np.testing.assert_allclose(encoder.attention_maps(IMAGES), maps, atol=1e-10)


def test_vit_with_mean_pooling_returns_the_mean_of_the_patches(float64):
    encoder = make_encoder(pooling="mean")
    np.testing.assert_allclose(
        encoder(IMAGES), np.mean(encoder.tokens(IMAGES).patches, axis=1), atol=1e-10
    )


def cubic(x):
    """Keys' cubic kernel with a = -0.75."""
    x = abs(x)
    if x <= 1:
        return 1.25 * x**3 - 2.25 * x**2 + 1
    return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def resize(grid, rows, columns):
    """Bicubic interpolation, pixel by pixel, with repeated edges."""
    height, width, _ = grid.shape
    out = np.zeros((rows, columns, grid.shape[2]))
    for row, column in np.ndindex(rows, columns):
        y, x = (row + 0.5) * height / rows - 0.5, (column + 0.5) * width / columns - 0.5
        for i in range(int(np.floor(y)) - 1, int(np.floor(y)) + 3):
            for j in range(int(np.floor(x)) - 1, int(np.floor(x)) + 3):
                cell = grid[np.clip(i, 0, height - 1), np.clip(j, 0, width - 1)]
                out[row, column] += cubic(y - i) * cubic(x - j) * cell
    return out


@pytest.mark.parametrize("size", [(16, 24), (4, 4), (12, 8)])
def test_vit_interpolates_positions_for_other_sizes(size, float64):
    encoder = make_encoder()
    images = np.random.default_rng(2).random((2, *size, 3))
    positions = resize(np.asarray(encoder.positions.embeddings), size[0] // 4, size[1] // 4)
    expected, _ = reference.tokens(encoder, images, positions)
    np.testing.assert_allclose(encoder.tokens(images).patches, expected[:, 3:], atol=1e-9)


def test_position_embedding_is_equal_for_known_and_unknown_sizes(float64):
    layer = GridPositionEmbedding(3, 5)
    layer.build((None, 3, 5, 4))
    layer.embeddings.assign(np.random.default_rng(0).random((3, 5, 4)))
    for rows, columns in ((3, 5), (6, 4)):
        grid = keras.Input((None, None, 4))
        model = keras.Model(grid, layer(grid))
        zeros = np.zeros((1, rows, columns, 4))
        positions = model.predict_on_batch(zeros)
        np.testing.assert_allclose(positions, layer(zeros), atol=1e-12)


def test_vit_does_not_see_masked_and_dropped_patches(float64):
    encoder, rng = make_encoder(), np.random.default_rng(3)
    mask = np.array([[True, False] * 3] * 3)
    token = rng.normal(size=12)
    hidden = IMAGES.copy()
    hidden.reshape(3, 2, 4, 3, 4, 3)[:, 0, :, 0] = rng.random((3, 4, 4, 3))  # patch 0, masked
    tokens = encoder.tokens(IMAGES, mask=mask, mask_token=token)
    other_tokens = encoder.tokens(hidden, mask=mask, mask_token=token)
    np.testing.assert_allclose(tokens.patches, other_tokens.patches, atol=1e-12)
    assert np.abs(tokens.patches - np.asarray(encoder.tokens(IMAGES).patches)).max() > 0.01
    keep = np.array([[1, 3, 5]] * 3)
    tokens, other_tokens = encoder.tokens(IMAGES, keep=keep), encoder.tokens(hidden, keep=keep)
    assert tokens.patches.shape == (3, 3, 12)
    np.testing.assert_allclose(tokens.patches, other_tokens.patches, atol=1e-12)
    tokens = encoder.tokens(IMAGES, keep=np.array([[0, 1, 2, 3, 4, 5]] * 3))
    np.testing.assert_allclose(tokens.patches, encoder.tokens(IMAGES).patches, atol=1e-12)


def test_drop_path_drops_branches_for_whole_images_in_training_only():
    keras.utils.set_random_seed(0)
    encoder = make_encoder(depth=3, drop_path=0.6)
    images = np.repeat(IMAGES[:1], 64, axis=0).astype("float32")
    features = np.asarray(encoder(images))
    np.testing.assert_allclose(features, features[:1].repeat(64, axis=0), atol=1e-5)
    features = np.asarray(encoder(images, training=True))
    outcomes = np.unique(np.round(features[:, 0], 3))
    assert 3 < len(outcomes) <= 3 * 9  # the first block drops no branch


def test_vit_is_saved_and_loaded(tmp_path):
    encoder = make_encoder(drop_path=0.1, layer_scale=0.1, pooling="mean")
    encoder.save(tmp_path / "vit.keras")
    loaded = keras.saving.load_model(tmp_path / "vit.keras")
    images = IMAGES.astype("float32")
    np.testing.assert_array_equal(loaded(images), encoder(images))
    assert loaded.get_config() == encoder.get_config()


def test_named_vit_sizes_have_the_papers_numbers_of_weights():
    for build, millions in ((encoders.vit_tiny, 5.5), (encoders.vit_small, 21.7)):
        count = build((224, 224, 3), 16).count_params() / 1e6
        assert count == pytest.approx(millions, abs=0.1)  # without the classifier


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (30, 32, 3)}, r"multiples of `patch_size`, received \(30, 32, 3\) and 4"),
        ({"input_shape": (None, 32, 3)}, "`input_shape` must have a height and a width"),
        ({"patch_size": 0}, "`patch_size` must be at least 1, received 0"),
        ({"width": 10}, "`width` must be a multiple of `heads`, received 10 and 3"),
        ({"depth": 1.5}, r"`depth` must be an int, received 1\.5"),
        ({"registers": -1}, "`registers` must be at least 0, received -1"),
        ({"drop_path": 1.0}, "`drop_path` must be below 1, received 1"),
        ({"drop_path": -0.1}, r"`drop_path` must be in 0\.\.1, received -0\.1"),
        ({"layer_scale": "small"}, "`layer_scale` must be a number, received 'small'"),
        ({"pooling": "patches"}, r"`pooling` must be one of .*received 'patches'"),
    ],
)
def test_vit_rejects_a_bad_argument(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        encoders.vit(**{"input_shape": (32, 32, 3), "patch_size": 4, **arguments})


@pytest.mark.parametrize("size", [(7, 8), (8, 2)])
def test_vit_rejects_images_that_the_patch_size_does_not_divide(size):
    with pytest.raises(ValueError, match=r"`images` must be a multiple of the patch size, 4"):
        make_encoder()(np.zeros((1, *size, 3), "float32"))
