"""The reader of captions against NumPy written from the paper."""

import keras
import numpy as np
import numpy_transformer as reference
import pytest

from keras_ssl import encoders

WORDS = np.array([[3, 1, 4, 0, 0], [5, 0, 0, 0, 0], [2, 6, 5, 3, 5], [1, 1, 0, 0, 0]])


def made():
    """A small one whose weights all count."""
    encoder = encoders.text_transformer(7, context_length=5, width=6, depth=2, heads=2)
    rng = np.random.default_rng(1)
    for weight in encoder.weights:
        weight.assign(rng.normal(0.1, 0.4, weight.shape))
    return encoder


def test_a_feature_is_what_the_end_mark_has_become_caption_by_caption(float64):
    encoder = made()
    table = np.asarray(encoder.embed.embeddings)
    for caption, found in zip(WORDS, np.asarray(encoder(WORDS)), strict=True):
        numbers = [*caption[caption > 0], 7]  # the end mark is the last row of the table
        x = (table[numbers] + np.asarray(encoder.positions)[: len(numbers)])[None]
        for block in encoder.blocks:
            x, _ = reference.through(x, block, causal=True)
        expected = reference.layer_norm(x[0, -1], encoder.norm)
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_what_fills_up_has_no_influence():
    encoder = made()
    np.testing.assert_allclose(encoder(WORDS[:2, :3]), encoder(WORDS[:2]), atol=1e-6)


@pytest.mark.parametrize("vocabulary", ["words", 7], ids=["tokenizer", "numbers"])
def test_saved_and_loaded_it_is_the_same_tokenizer_included(vocabulary, tmp_path):
    if vocabulary == "words":
        vocabulary = keras.layers.TextVectorization()
        vocabulary.adapt(["a red square", "a blue one"])
    encoder = encoders.text_transformer(vocabulary, 5, 6, 1, 2)
    encoder.trainable = False
    encoder.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert not loaded.trainable
    words = WORDS % 6
    np.testing.assert_array_equal(loaded(words), encoder(words))
    if encoder.tokenizer is None:
        assert loaded.tokenizer is None
    else:
        phrase = ["one blue unheard word"]
        np.testing.assert_array_equal(loaded.tokenizer(phrase), vocabulary(phrase))


def test_features_are_float32_in_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert made()(WORDS).dtype == "float32"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocabulary": 0}, "`vocabulary`"),
        ({"vocabulary": "a"}, "`vocabulary` must be an adapted"),
        ({"vocabulary": keras.layers.Dense(3)}, "`vocabulary` must be an adapted"),
        ({"vocabulary": keras.layers.TextVectorization()}, "`vocabulary` knows no word: adapt"),
        (
            {"vocabulary": keras.layers.TextVectorization(10, output_mode="count")},
            "`vocabulary` must give the numbers of words",
        ),
        ({"context_length": 1}, "`context_length` must be at least 2"),
        ({"width": 0}, "`width`"),
        ({"heads": 4}, "multiple of `heads`; received 6 and 4"),
    ],
)
def test_a_wrong_argument_is_named(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        encoders.text_transformer(**{"vocabulary": 7, "width": 6, "heads": 2, **settings})
