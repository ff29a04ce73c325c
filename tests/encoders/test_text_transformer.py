"""The text transformer against NumPy code written from the paper."""

import keras
import numpy as np
import numpy_transformer as reference
import pytest

from keras_ssl import encoders

TOKEN_IDS = np.array([[3, 1, 4, 0, 0], [5, 0, 0, 0, 0], [2, 6, 5, 3, 5], [1, 1, 0, 0, 0]])


def make_encoder():
    """A small text transformer with random weights."""
    encoder = encoders.text_transformer(7, context_length=5, width=6, depth=2, heads=2)
    rng = np.random.default_rng(1)
    for weight in encoder.weights:
        weight.assign(rng.normal(0.1, 0.4, weight.shape))
    return encoder


def test_text_feature_is_the_output_at_the_end_of_text_token(float64):
    encoder = make_encoder()
    table = np.asarray(encoder.embed.embeddings)
    for caption, feature in zip(TOKEN_IDS, np.asarray(encoder(TOKEN_IDS)), strict=True):
        token_ids = [*caption[caption > 0], 7]  # the end-of-text token is the last row of the table
        x = (table[token_ids] + np.asarray(encoder.positions)[: len(token_ids)])[None]
        for block in encoder.blocks:
            x, _ = reference.through(x, block, causal=True)
        expected = reference.layer_norm(x[0, -1], encoder.norm)
        np.testing.assert_allclose(feature, expected, atol=1e-10)


def test_padding_does_not_change_text_features():
    encoder = make_encoder()
    np.testing.assert_allclose(encoder(TOKEN_IDS[:2, :3]), encoder(TOKEN_IDS[:2]), atol=1e-6)


@pytest.mark.parametrize("tokenizer", [None, 7], ids=["tokenizer", "vocab_size"])
def test_text_transformer_is_saved_and_loaded_with_its_tokenizer(tokenizer, tmp_path):
    if tokenizer is None:
        tokenizer = keras.layers.TextVectorization()
        tokenizer.adapt(["a red square", "a blue one"])
    encoder = encoders.text_transformer(tokenizer, 5, 6, 1, 2)
    encoder.trainable = False
    encoder.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert not loaded.trainable
    token_ids = TOKEN_IDS % 6
    np.testing.assert_array_equal(loaded(token_ids), encoder(token_ids))
    assert loaded.vocab_size == encoder.vocab_size == 7
    if encoder.tokenizer is None:
        assert loaded.tokenizer is None
    else:
        phrase = ["one blue unknown word"]
        np.testing.assert_array_equal(loaded.tokenizer(phrase), tokenizer(phrase))


def test_text_features_are_float32_in_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert make_encoder()(TOKEN_IDS).dtype == "float32"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokenizer": 0}, "`tokenizer` must be at least 1, received 0"),
        ({"tokenizer": "a"}, "`tokenizer` must be an adapted"),
        ({"tokenizer": keras.layers.Dense(3)}, "`tokenizer` must be an adapted"),
        (
            {"tokenizer": keras.layers.TextVectorization()},
            "`tokenizer` has an empty vocabulary; call",
        ),
        (
            {"tokenizer": keras.layers.TextVectorization(10, output_mode="count")},
            "`tokenizer` must return token ids",
        ),
        ({"context_length": 1}, "`context_length` must be at least 2"),
        ({"width": 0}, "`width`"),
        ({"heads": 4}, "multiple of `heads`, received 6 and 4"),
    ],
)
def test_text_transformer_rejects_a_bad_argument(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        encoders.text_transformer(**{"tokenizer": 7, "width": 6, "heads": 2, **settings})
