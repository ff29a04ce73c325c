"""CLIP: the contrastive loss, text input, zero-shot classifiers and exports."""

import warnings

import keras
import lazy_loader
import method_checks as checks
import numpy as np
import pytest
import references
from method_spec import NOT_A_COUNT, NOT_POSITIVE, SCHEDULE, MethodSpec
from processes import run_python

import keras_ssl

tf = lazy_loader.load("tensorflow")  # other processes import this file on JAX


def image_and_text_encoder(encoder):
    """Returns the encoder and a small text encoder of token ids below 12."""
    return encoder, keras_ssl.encoders.text_transformer(12, 4, 8, 1, 2)


SPEC = MethodSpec(
    keras_ssl.CLIP,
    networks=image_and_text_encoder,
    settings={"projection": 8},
    other_values={"projection": 4, "temperature": 0.01, "max_logit_scale": 3.0},
    covered_elsewhere=("num_chunks", "tokenizer"),
    invalid_values={
        "max_logit_scale": (*NOT_POSITIVE, SCHEDULE),
        "projection": (*NOT_A_COUNT, 0),
        "tokenizer": ("words", 12, [str], keras.layers.TextVectorization()),
        # CLIP accepts a single view.
        "views": (3, "two", [1, 2], ()),
    },
    on_workers=True,
    half_precision=("mixed_bfloat16",),
)

COLORS = ("red", "green", "blue")


def shades(count=48, seed=0):
    """Returns images `(count, 8, 8, 3)` of one color each, their captions and color indices."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, 8, 8, 3), dtype="uint8")
    colors = np.arange(count) % 3
    images[np.arange(count), :, :, colors] += 150
    phrases = [f"a {size} field of {COLORS[i]}" for size in ("wide", "small") for i in range(3)]
    return images, np.array(phrases)[np.arange(count) % 6], colors


def reader(context_length=6):
    """Returns a text encoder with the vocabulary of the captions."""
    words = keras.layers.TextVectorization()
    words.adapt(shades()[1])
    return keras_ssl.encoders.text_transformer(words, context_length, 16, 1, 2)


def made(context_length=6, run_eagerly=True, **kwargs):
    """Returns a small compiled CLIP."""
    settings = {"projection": 8, **kwargs}
    model = keras_ssl.CLIP(checks.small_encoder(), reader(context_length), **settings)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=run_eagerly)
    return model


def averaged(words):
    """Returns a network that averages the embeddings of token ids."""
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(12, 5)(words))
    return keras.Model(words, x)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("num_chunks", [1, 4])
def test_clip_loss_matches_the_paper(num_chunks, float64):
    model = checks.make("CLIP", num_chunks=num_chunks)
    views, words = checks.two_views(16), checks.captions(16)
    features = np.asarray(model.encoder(views[0], training=True))
    image = unit(features @ np.asarray(model.image_tower.layers[-2].kernel))
    text = unit(np.asarray(model.text_tower(words)))
    logits = image @ text.T / 0.07
    answers = np.arange(16)
    expected = references.cross_entropy(logits, answers) + references.cross_entropy(
        logits.T, answers
    )
    logs = references.one_step(model, views)
    assert logs["loss"] == pytest.approx(expected / 2, rel=1e-7)
    assert logs["logit_scale"] == pytest.approx(1 / 0.07)


def test_clip_clamps_the_logit_scale():
    model = checks.make("CLIP", max_logit_scale=20.0)
    model.log_scale.assign(np.log(50.0))
    still = keras.optimizers.SGD(1e-9)
    checks.train(model, checks.two_views(16), epochs=1, optimizer=still)
    assert float(np.exp(model.log_scale)) == pytest.approx(20.0)
    assert (
        float(np.exp(checks.make("CLIP", temperature=0.01, max_logit_scale=9.0).log_scale))
        <= 9.0001
    )


@pytest.mark.slow
def test_clip_recognizes_colors_in_new_phrases():
    model = made(run_eagerly=False)
    images, captions, _ = shades()
    data = tf.data.Dataset.from_tensor_slices((images, captions)).batch(24)
    loss = model.fit(data, epochs=40, verbose=0).history["loss"]
    assert loss[-1] < loss[0] - 0.5
    others, _, truth = shades(30, seed=1)
    classifier = model.zero_shot(COLORS, ["a field of {}", "{}"])
    assert np.mean(classifier.predict(others, verbose=0).argmax(axis=1) == truth) > 0.9
    both = [model.predict(others, verbose=0), model.encode_text([f"{c} field" for c in COLORS])]
    assert [rows.shape for rows in both] == [(30, 8), (3, 8)]


def test_clip_zero_shot_logits_are_scaled_cosines_with_the_mean_of_the_phrases():
    model = made()
    images, templates = shades(12)[0], ["a {}", "a wide field of {}"]
    weights = []
    for name in COLORS:
        phrases = model.encode_text([template.format(name) for template in templates])
        weights.append(unit(phrases).mean(axis=0))
    features = unit(model.predict(images, verbose=0))
    expected = features @ unit(np.array(weights)).T / 0.07
    classifier = model.zero_shot(COLORS, templates)
    np.testing.assert_allclose(classifier.predict(images, verbose=0), expected, atol=1e-4)
    found = model.class_weights(COLORS, templates)
    np.testing.assert_allclose(found, unit(np.array(weights)), atol=1e-6)


@pytest.mark.slow
def test_clip_zero_shot_classifier_is_evaluated_saved_and_exported(tmp_path):
    classifier = made().zero_shot(COLORS)
    images, _, colors = shades(12)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(0.03), loss=loss, metrics=["accuracy"])
    before = classifier.evaluate(images, colors, verbose=0)[0]
    classifier.fit(images, colors, epochs=30, verbose=0)
    assert classifier.evaluate(images, colors, verbose=0)[0] < before
    classifier.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    classifier.export(tmp_path / "served", verbose=False)
    expected = classifier.predict(images, verbose=0)
    np.testing.assert_allclose(loaded.predict(images, verbose=0), expected, atol=1e-6)
    loaded = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(loaded.serve(images), expected, atol=1e-4)


def elements(kind):
    """Returns the same pairs in one of the forms that `fit` takes."""
    images, captions, _ = shades(24)
    both = tf.data.Dataset.from_tensor_slices((images, captions))
    if kind == "arrays":
        return images, list(captions)
    if kind == "words":
        return images, reader().tokenizer(captions).numpy()
    if kind == "dicts":
        return (both.map(lambda image, caption: {"image": image, "caption": caption}).batch(8),)
    if kind == "views":
        return (keras_ssl.data.make_views(both, keras_ssl.views.clip(8), 8),)
    return (both.batch(8),)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["arrays", "dataset", "dicts", "views", "words"])
def test_clip_trains_on_every_form_of_pairs(kind):
    model = made()
    history = model.fit(*elements(kind), batch_size=8, epochs=2, verbose=0).history
    assert np.all(np.isfinite(history["loss"]))
    pairs = elements("dataset" if kind == "views" else kind)
    assert np.all(np.isfinite(model.evaluate(*pairs, verbose=0)))


@pytest.mark.slow
def test_clip_exports_of_both_towers_run_without_keras_ssl(tmp_path):
    model = made()
    images, captions, _ = shades(5)
    model.export_encoder(tmp_path)
    np.save(tmp_path / "images.npy", images)
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        "sys.modules['keras_ssl'] = sys.modules['keras'] = None\n"
        "image, text = (tf.saved_model.load(name) for name in ('image', 'text'))\n"
        "np.savez('served.npz', image=image.serve(np.load('images.npy')),\n"
        "         text=text.serve(sys.argv[1:]))\n"
    )
    run_python(script, *captions, cwd=tmp_path)
    served = np.load(tmp_path / "served.npz")
    np.testing.assert_allclose(served["image"], model.predict(images, verbose=0), atol=1e-5)
    np.testing.assert_allclose(served["text"], model.encode_text(captions), atol=1e-5)


def test_clip_export_without_a_tokenizer_takes_token_ids(tmp_path):
    model = checks.make("CLIP")
    model.export_encoder(tmp_path)
    words = checks.captions(6).astype("int32")
    loaded = tf.saved_model.load(tmp_path / "text")
    np.testing.assert_allclose(loaded.serve(words), model.encode_text(words), atol=1e-5)


@pytest.mark.slow
def test_clip_loaded_model_encodes_and_trains_on_text(tmp_path):
    model = made()
    model.fit(*elements("arrays"), batch_size=8, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    phrase = ["a wide field of blue"]
    np.testing.assert_array_equal(loaded.encode_text(phrase), model.encode_text(phrase))
    expected, found = (
        each.fit(*elements("arrays"), batch_size=8, verbose=0).history for each in (model, loaded)
    )
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_clip_without_projection_requires_equal_widths():
    text_encoder = keras_ssl.encoders.text_transformer(12, 4, 6, 1, 2)
    model = keras_ssl.CLIP(checks.small_encoder(), text_encoder, projection=None)
    images = checks.two_views(4)[0]
    np.testing.assert_allclose(model(images), model.encoder(images), atol=1e-6)
    with pytest.raises(ValueError, match=r"same output width; received 6 and 8\. Pass a width"):
        keras_ssl.CLIP(
            checks.small_encoder(),
            keras_ssl.encoders.text_transformer(12, 4, 8, 1, 2),
            projection=None,
        )


def test_clip_accepts_any_network_of_token_ids_as_text_encoder():
    text_encoder = averaged(keras.Input((4,), dtype="int32"))
    model = keras_ssl.CLIP(checks.small_encoder(), text_encoder, projection=4)
    model.rate = 0.1
    assert np.isfinite(checks.train(model, checks.two_views(16), epochs=1)["loss"][0])


def test_clip_truncates_long_captions_with_one_warning():
    model = made(context_length=3)
    images, captions, _ = shades(24)
    with pytest.warns(UserWarning, match="longer than 3 tokens.* truncated") as warned:
        model.fit(images, captions, batch_size=8, epochs=2, verbose=0)
    assert len(warned) == 1
    np.testing.assert_array_equal(
        model.encode_text(["a wide field of blue"]), model.encode_text(["a wide field"])
    )


def test_clip_warns_about_a_long_caption_of_a_later_batch():
    model = made(context_length=5)
    images, captions, _ = shades(24)
    captions = np.where(np.arange(24) == 20, "a wide field of blue and of red", captions)
    data = tf.data.Dataset.from_tensor_slices((images, captions)).batch(8)
    with pytest.warns(UserWarning, match="longer than 5 tokens") as warned:
        model.fit(data, epochs=2, verbose=0)
    assert len(warned) == 1


def test_clip_rejects_invalid_captions_before_training():
    model = made()
    images, captions, colors = shades(24)
    both = tf.data.Dataset.from_tensor_slices
    empty = np.where(np.arange(24) == 3, " ", captions)
    for arguments, message in [
        ((images, captions[:5]), "5 captions for 24 images"),
        ((both((images, captions)).batch(8).map(lambda x, y: (x, y[:4])),), "4 captions for 8"),
        ((images, empty), "empty caption at position 3, ' '"),
        ((both((images, empty)).batch(8),), "empty caption at position 3"),
        ((images, colors), "one string for each image"),
        ((images, [None] * 24), "must be strings"),
        ((images,), "needs a caption for each image"),
        ((both(images).batch(8),), "`x` must have elements"),
        ((both((images, captions)).batch(8), captions), "`y` is for arrays"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            model.fit(*arguments, batch_size=8, verbose=0)
    with pytest.raises(TypeError, match="has no tokenizer"):
        checks.make("CLIP").encode_text(["a phrase"])


def test_clip_names_the_batch_of_an_empty_caption():
    images, captions, _ = shades(24)
    captions = np.where(np.arange(24) == 20, "", captions)
    data = tf.data.Dataset.from_tensor_slices((images, captions)).batch(8)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"empty caption.*index\] \[2\]"):
        made().fit(data, verbose=0)


@pytest.mark.parametrize(
    ("names", "templates", "message"),
    [
        ([], ["{}"], "`class_names` must have at least two"),
        (["red"], ["{}"], "`class_names` must have at least two"),
        (["red", " "], ["{}"], "empty name at position 1"),
        (["red", "red"], ["{}"], r"\['red'\] are repeated"),
        ("red", ["{}"], "`class_names` must be a sequence"),
        (["red", 3], ["{}"], "`class_names` must be a sequence"),
        (COLORS, [], "`templates` is empty"),
        (COLORS, "a {}", "`templates` must be a sequence"),
        (COLORS, ["a photo"], r"must contain \{\} for the class name, received 'a photo'"),
        (COLORS, ["{name}"], "must contain"),
    ],
)
def test_clip_rejects_invalid_class_names_and_templates(names, templates, message):
    with pytest.raises((TypeError, ValueError), match=message):
        made().zero_shot(names, templates)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (lambda: "text", "`text_encoder` must be a keras.Model from token ids"),
        (checks.small_encoder, "`text_encoder` must take one batch of token ids"),
        (lambda: keras.Sequential([keras.layers.Dense(3)]), "`text_encoder` .* is not built"),
        (
            lambda: keras.Sequential([keras.Input((4,)), keras.layers.Embedding(5, 3)]),
            r"`text_encoder` must return features of shape \(B, D\)",
        ),
        (
            lambda: averaged(keras.Input((None,), dtype="int32")),
            "The context length of `text_encoder`",
        ),
    ],
)
def test_clip_rejects_invalid_text_encoders(encoder, message):
    with pytest.raises((TypeError, ValueError), match=message):
        keras_ssl.CLIP(checks.small_encoder(), encoder())


def test_clip_does_not_warn_about_captions_of_the_context_length():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        made(context_length=5).encode_text(["a wide field of blue"])
