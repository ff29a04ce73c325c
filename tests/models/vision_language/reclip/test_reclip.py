"""ReCLIP: norm layers are trained where the pseudo-labels of two copies agree."""

import keras
import lazy_loader
import method_checks as checks
import numpy as np
import pytest
from method_spec import NOT_A_BOOL, NOT_A_COUNT, NOT_A_FRACTION, SCHEDULE, MethodSpec

import keras_ssl
from keras_ssl.models.vision_language.reclip import label_propagation

tf = lazy_loader.load("tensorflow")  # other processes import this file on JAX

NAMES = ["cat", "dog", "fox", "hen"]


def small_clip(encoder):
    """Returns a small CLIP that knows the names of four classes."""
    tokenizer = keras.layers.TextVectorization(vocabulary=["a", *NAMES])
    text_encoder = keras_ssl.encoders.text_transformer(tokenizer, 4, 8, 1, 2)
    return (keras_ssl.CLIP(encoder, text_encoder, projection=8),)


SPEC = MethodSpec(
    keras_ssl.ReCLIP,
    networks=small_clip,
    settings={"class_names": NAMES, "templates": ["a {}", "{}"], "num_neighbors": 3},
    other_values={
        "training_template": "a {}",
        "project_text": False,
        "num_neighbors": None,
        "alpha": 0.5,
    },
    covered_elsewhere=("class_names", "templates"),
    invalid_values={
        "alpha": (*NOT_A_FRACTION, SCHEDULE, 1),
        "class_names": ([], ["cat"], ["cat", "cat"], ["cat", ""], "cat", None, [1, 2]),
        "num_neighbors": (*NOT_A_COUNT, 0),
        "project_text": NOT_A_BOOL,
        "templates": ([], ["a"], "a {}", None, [3]),
        "training_template": ("a", 3, ["a {}"]),
    },
    lowers_loss=False,  # pseudo-labels change from epoch to epoch
    on_workers=True,
)


def images(count=24):
    return np.random.default_rng(2).integers(0, 256, (count, 8, 8, 3), dtype="uint8")


def made(**kwargs):
    model = checks.make("ReCLIP", **kwargs)
    model.compile(keras.optimizers.SGD(0.05), run_eagerly=True)
    return model


def test_reclip_trains_only_layer_norm_and_leaves_the_given_clip_unchanged():
    clip = checks.make("ReCLIP").clip
    before = clip.get_weights()
    model = keras_ssl.ReCLIP(clip, NAMES, templates=["a {}"], num_neighbors=3)
    model.compile(keras.optimizers.SGD(0.05), run_eagerly=True)
    kept = {id(w): w.numpy() for w in model.weights}
    model.fit(images(), batch_size=8, epochs=2, verbose=0)
    for weight, old in zip(clip.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert {w.path.split("/")[-1] for w in model.trainable_weights} == {"gamma", "beta"}
    trained = {id(w) for w in model.trainable_weights}
    free = {"step", "kernel"}  # of the optimizer; what images are compared with
    for weight in model.weights:
        moved = np.abs(weight.numpy() - kept[id(weight)]).max() > 0
        if id(weight) in trained:
            assert moved, weight.path
        elif weight.path.split("/")[-1] not in free:
            assert not moved, weight.path


def encoded(copy, x):
    return label_propagation.normalize_rows(np.asarray(copy.image_tower(x / np.float32(255))))


def test_reclip_losses_are_cross_entropies_where_both_copies_agree():
    model = made()
    x = images()
    by_text, by_image = model.pseudo_labels(x)
    history = model.fit(x, batch_size=24, epochs=1, verbose=0).history
    # The losses of the first step, from the weights before it.
    model = made()
    agree = by_text == by_image
    assert 0 < agree.sum() < 24
    phrases = [f"{name}" for name in NAMES]  # the shortest template
    text = label_propagation.normalize_rows(model.text_copy.encode_text(phrases))
    scale = 1 / 0.07
    logits = scale * encoded(model.text_copy, x) @ text.T
    features = encoded(model.image_copy, x)
    before = label_propagation.normalize_rows(np.asarray(model.image_classifier.kernel).T)
    means = [
        features[by_image == k].mean(axis=0) if np.any(by_image == k) else before[k]
        for k in range(4)
    ]
    own = scale * features @ label_propagation.normalize_rows(np.array(means)).T
    for name, each in (("text_loss", logits), ("image_loss", own)):
        each = each.astype("float64")
        rows = np.log(np.exp(each).sum(axis=1)) - each[np.arange(24), by_text]
        assert history[name][0] == pytest.approx(rows[agree].mean(), rel=1e-4), name
    assert history["loss"][0] == pytest.approx(history["text_loss"][0] + history["image_loss"][0])
    assert history["agreement"][0] == pytest.approx(agree.mean())


def test_reclip_predictions_average_both_copies_and_all_templates():
    model = made()
    model.fit(images(), batch_size=8, epochs=1, verbose=0)
    x = images(6)
    text = model.text_copy.class_weights(NAMES, ["a {}", "{}"]) / 0.07
    by_text = encoded(model.text_copy, x) @ text.T
    by_image = encoded(model.image_copy, x) @ np.asarray(model.image_classifier.kernel)
    np.testing.assert_allclose(model.predict(x, verbose=0), (by_text + by_image) / 2, atol=1e-4)


def test_reclip_exports_the_adapted_image_encoder(tmp_path):
    model = made()
    model.export_encoder(tmp_path)
    loaded, x = tf.saved_model.load(tmp_path), images(3)
    np.testing.assert_allclose(
        label_propagation.normalize_rows(loaded.serve(x).numpy()),
        encoded(model.image_copy, x),
        atol=1e-5,
    )


@pytest.mark.slow
def test_reclip_logs_labels_and_does_not_learn_from_them():
    truth = np.arange(24) % 4
    logs, weights = [], []
    for y in (truth, np.full(24, 2), None):
        model = made()
        logs.append(model.fit(images(), y, batch_size=8, epochs=2, verbose=0).history)
        weights.append(model.get_weights())
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert logs[0]["pseudo_label_accuracy"] != logs[1]["pseudo_label_accuracy"]
    assert "pseudo_label_accuracy" not in logs[2]
    by_text, by_image = made().pseudo_labels(images())
    agree = by_text == by_image
    expected = np.mean(by_text[agree] == truth[agree])
    assert logs[0]["pseudo_label_accuracy"][0] == pytest.approx(expected)


def test_reclip_finds_the_labels_of_a_reshuffled_dataset():
    x = images()
    shuffled = tf.data.Dataset.from_tensor_slices(x).shuffle(24, seed=1).batch(8)
    model = made()
    model.fit(shuffled, epochs=3, verbose=0)
    by_text, by_image = model.pseudo_labels(x)
    model.fit(shuffled, epochs=1, verbose=0)
    expected = np.where(by_text == by_image, by_text, -1)
    np.testing.assert_array_equal(model.data.labels.lookup(x), expected)
    assert model.data.labels.lookup(x[:1] + 1)[0] == -1


def test_reclip_evaluates_images_with_labels():
    model = made()
    x, y = images(10), np.arange(10) % 4
    history = model.fit(images(), batch_size=8, verbose=0, validation_data=(x, y)).history
    loss, accuracy = model.evaluate(tf.data.Dataset.from_tensor_slices((x, y)).batch(4), verbose=0)
    logits = model.predict(x, verbose=0)
    assert accuracy == pytest.approx(np.mean(logits.argmax(axis=1) == y))
    assert history["val_accuracy"][0] == pytest.approx(accuracy)
    assert history["val_loss"][0] == pytest.approx(loss, rel=1e-4)


def test_reclip_trains_batch_norm_if_there_is_no_layer_norm():
    words = keras.layers.TextVectorization(vocabulary=NAMES)
    text_encoder = keras_ssl.encoders.text_transformer(words, 4, 8, 1, 2)
    bare = checks.small_encoder(batch_norm=False)
    with pytest.raises(ValueError, match=r"`clip` has neither layer norm .* in its image encoder"):
        keras_ssl.ReCLIP(keras_ssl.CLIP(bare, text_encoder), NAMES, templates=["a {}"])
    vit = keras_ssl.encoders.vit((8, 8, 3), 4, 8, 1, 2)
    model = keras_ssl.ReCLIP(keras_ssl.CLIP(vit, text_encoder), NAMES, templates=["a {}"])
    assert len(model.image_copy.image_tower.trainable_weights) == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_names": []}, "`class_names` must have at least two"),
        ({"class_names": ["cat", "cat"]}, "are repeated"),
        ({"templates": ["a"]}, "`templates` must contain"),
        ({"training_template": "a"}, "`training_template` must contain"),
        ({"training_template": 3}, "`training_template` must be a string"),
        ({"clip": "a"}, "`clip` must be a keras_ssl.CLIP, received str"),
        ({"alpha": 1}, "`alpha` must be below 1"),
    ],
)
def test_reclip_names_an_invalid_argument(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        keras_ssl.ReCLIP(**{"clip": checks.make("ReCLIP").clip, "class_names": NAMES, **settings})


def test_reclip_rejects_invalid_data():
    model = made()
    x = images()
    for arguments, message in [
        (("a",), "`x` must be a tf.data.Dataset"),
        ((x[0],), "add the batch axis"),
        ((x[:, :, :, :1],), "channels 1"),
        ((x.astype("float32"),), "must be in 0..1"),
        ((x, np.arange(3)), "labels of shape"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            model.fit(*arguments, batch_size=8, verbose=0)
    with pytest.raises(ValueError, match="`steps_per_epoch` is not supported"):
        model.fit(x, steps_per_epoch=2, verbose=0)
    with pytest.raises(ValueError, match="the method defines its own loss"):
        model.compile("sgd", loss="mse")
