"""What the base promises for every method that learns from few labels."""

import keras
import method_checks as checks
import numpy as np
import pytest
from processes import run_python

import keras_ssl

VIEWS = checks.two_views(16)


@keras.saving.register_keras_serializable("tests")
class Counting(keras.layers.Layer):
    """Notes how many images each call sees."""

    seen = []

    def call(self, images):
        Counting.seen.append(images.shape[0])
        return images


def test_one_pass_sees_labeled_weak_and_strong_images_together():
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalMaxPooling2D()(Counting()(images))
    model = keras_ssl.FixMatch(keras_ssl.models.classifier(keras.Model(images, x), 4))
    model.compile("sgd", run_eagerly=True)
    Counting.seen.clear()
    checks.train(model, VIEWS, epochs=1)
    assert Counting.seen == [8 + 16 + 16]


def test_batch_norm_sees_all_images(float64):
    model = checks.make("FixMatch")
    convolution, norm = model.classifier.layers[1].layers[1:3]
    seen = np.asarray(convolution(np.concatenate([VIEWS[0][:8], *VIEWS])))
    before = np.array(norm.moving_mean)
    checks.train(model, VIEWS, epochs=1)
    expected = 0.9 * before + 0.1 * seen.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-5)


def test_averaged_weights_follow_and_statistics_are_copied(float64):
    model = checks.make("FixMatch", ema_momentum=0.75)
    before = checks.arrays(model.ema_classifier.weights)
    checks.train(model, VIEWS, epochs=1)
    pairs = zip(model.ema_classifier.weights, model.classifier.weights, before, strict=True)
    for average, weight, old in pairs:
        expected = 0.75 * old + 0.25 * np.asarray(weight) if weight.trainable else weight
        np.testing.assert_allclose(average, expected, atol=1e-12, err_msg=weight.path)


def test_call_predict_evaluate_and_exports_use_the_averaged_weights(tmp_path):
    import tensorflow as tf

    model = checks.make("FixMatch", ema_momentum=0.999)
    checks.train(model, VIEWS)
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype="uint8")
    unit, y = images.astype("float32") / 255, checks.labels(6)
    expected = np.asarray(model.ema_classifier(unit))
    assert np.abs(expected - np.asarray(model.classifier(unit))).max() > 0.01
    np.testing.assert_allclose(model(images), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
    loss, accuracy = model.evaluate(images, y, verbose=0)
    log_sum = np.log(np.exp(expected).sum(axis=1))
    assert loss == pytest.approx(np.mean(log_sum - expected[np.arange(6), y]), rel=1e-5)
    assert accuracy == pytest.approx(np.mean(expected.argmax(axis=1) == y))
    model.export(tmp_path / "logits", verbose=False)
    model.export_encoder(tmp_path / "encoder")
    loaded = tf.saved_model.load(tmp_path / "logits")
    np.testing.assert_allclose(loaded.serve(images), expected, atol=1e-5)
    loaded = tf.saved_model.load(tmp_path / "encoder")
    features = model.ema_classifier.layers[1](unit)
    np.testing.assert_allclose(loaded.serve(images), features, atol=1e-5)


def test_a_call_in_training_mode_leaves_the_average_alone():
    model = checks.make("FixMatch")
    before = checks.arrays(model.ema_classifier.weights)
    expected = np.asarray(model(VIEWS[0]))
    np.testing.assert_array_equal(model(VIEWS[0], training=True), expected)
    for new, old in zip(model.ema_classifier.weights, before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_the_average_is_never_trained():
    model = checks.make("FixMatch")
    for value in (False, True):
        model.trainable = value
        assert not model.ema_classifier.trainable_weights
    assert len(model.trainable_weights) == len(model.classifier.trainable_weights)


def test_fit_logs_what_the_contract_says():
    model = checks.make("FixMatch")
    history = checks.train(model, VIEWS, validation_data=(VIEWS[0], checks.labels(16)))
    own = {"loss", "supervised_loss", "unsupervised_loss", "mask_rate", "threshold", "accuracy"}
    assert set(history) == own | {"pseudo_label_accuracy", "val_loss", "val_accuracy"}


def test_without_true_labels_there_is_no_pseudo_label_accuracy():
    class Unknown(checks.FewLabels):
        def __getitem__(self, position):
            parts, labels = super().__getitem__(position)
            del parts["unlabeled_labels"]
            return parts, labels

    model = checks.make("FixMatch")
    model.compile("sgd")
    assert "pseudo_label_accuracy" not in model.fit(Unknown(VIEWS, 16), verbose=0).history


def test_labels_below_zero_are_not_known():
    class Half(checks.FewLabels):
        def __getitem__(self, position):
            parts, labels = super().__getitem__(position)
            truth = np.where(np.arange(16) < 8, parts["unlabeled_labels"], -1)
            return {**parts, "unlabeled_labels": truth}, labels

    model = checks.make("FixMatch", threshold=0.0)
    model.compile("sgd")
    weak = np.asarray(model.classifier(np.concatenate([VIEWS[0][:8], *VIEWS]), training=True))
    expected = np.mean(weak[8:16].argmax(axis=1) == checks.labels(8))
    found = model.fit(Half(VIEWS, 16), verbose=0).history["pseudo_label_accuracy"]
    assert found[0] == pytest.approx(expected)


def test_pseudo_label_accuracy_is_of_all_images_that_counted_in_an_epoch(float64):
    model = checks.make("FixMatch", threshold=0.45)
    model.compile(keras.optimizers.SGD(0.0))
    views = checks.two_views(32)
    right, counted = [], []
    for batch in (slice(0, 16), slice(16, 32)):
        seen = np.concatenate([views[0][batch][:8], views[0][batch], views[1][batch]])
        logits = np.asarray(model.classifier(seen, training=True))[8:24]
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        counted.append(p.max(axis=1) >= 0.45)
        right.append(p.argmax(axis=1) == np.arange(32)[batch] % 4)
    counted, right = np.concatenate(counted), np.concatenate(right)
    history = checks.train(model, views, epochs=1)
    assert history["pseudo_label_accuracy"][0] == pytest.approx(right[counted].mean())
    assert history["mask_rate"][0] == pytest.approx(counted.mean())


def test_schedules_of_weight_and_momentum_are_read_at_the_step():
    falling = keras.optimizers.schedules.PolynomialDecay(1.0, 2, 0.0)
    model = checks.make("FixMatch", threshold=0.0, unlabeled_weight=falling, ema_momentum=falling)
    history = checks.train(model, VIEWS, epochs=3)
    for step, weight in enumerate((1.0, 0.5, 0.0)):
        rest = history["loss"][step] - history["supervised_loss"][step]
        assert rest == pytest.approx(weight * history["unsupervised_loss"][step], abs=1e-5)
    for average, own in zip(model.ema_classifier.weights, model.classifier.weights, strict=True):
        np.testing.assert_allclose(average, own, atol=1e-6)


@pytest.mark.parametrize("option", [{"steps_per_execution": 2}, {"run_eagerly": True}])
def test_compile_options_change_nothing_but_speed(option, float64):
    def numbers(**kwargs):
        model = checks.make("FlexMatch")
        optimizer = keras.optimizers.SGD(model.rate, momentum=0.875)
        model.compile(optimizer, metrics=["accuracy"], **kwargs)
        checks.train(model, checks.two_views())
        return model.get_weights()

    for found, expected in zip(numbers(**option), numbers(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_gradient_accumulation_moves_averages_and_memory_once_a_step():
    model = checks.make("FreeMatch")
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    before = checks.arrays([model.confidence, *model.ema_classifier.weights])
    checks.train(model, VIEWS, epochs=1, optimizer=optimizer)
    for new, old in zip([model.confidence, *model.ema_classifier.weights], before, strict=True):
        np.testing.assert_array_equal(new, old)
    checks.train(model, VIEWS, epochs=1)
    assert float(model.confidence) != before[0]
    assert int(model.total_steps) == int(model.step) == 1


def images_and_labels(count=48):
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype="uint8")
    return images, np.arange(count) % 4


def few_labels(**kwargs):
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(images_and_labels())
    labeled, unlabeled = keras_ssl.data.split_labels(dataset, labels_per_class=2)
    return keras_ssl.data.semi_supervised(labeled, unlabeled, 8, unlabeled_ratio=2, **kwargs)


CONTINUE = """
import sys; sys.path.insert(0, sys.argv[1])
import keras, numpy as np, keras_ssl
from test_semi_supervised import few_labels
model = keras.saving.load_model("m.keras")
model.fit(few_labels(), epochs=4, initial_epoch=2, verbose=0)
np.savez("weights.npz", *model.get_weights())
"""


def test_a_run_continued_in_a_new_process_equals_the_uninterrupted_one(tmp_path):
    def trained(epochs):
        model = checks.make("Dash", warmup=2)
        optimizer = keras_ssl.optimizers.L2SGD(0.05, weight_decay=0.1)
        model.compile(optimizer, metrics=["accuracy"])
        model.fit(few_labels(), epochs=epochs, verbose=0)
        return model

    trained(2).save(tmp_path / "m.keras")
    from pathlib import Path

    run_python(CONTINUE, Path(__file__).parent, cwd=tmp_path)
    found = np.load(tmp_path / "weights.npz")
    expected = trained(4)
    assert int(expected.step) == 12
    for i, weight in enumerate(expected.get_weights()):
        if expected.weights[i].path.endswith("total_steps"):
            continue
        np.testing.assert_allclose(found[f"arr_{i}"], weight, atol=1e-6)


def test_steps_per_epoch_go_on_from_pass_to_pass():
    def trained(**kwargs):
        model = checks.make("FixMatch")
        model.compile(keras.optimizers.SGD(0.05))
        model.fit(few_labels(), verbose=0, **kwargs)
        return model.get_weights()

    expected = trained(epochs=4)  # of three steps each
    for found, weight in zip(trained(epochs=2, steps_per_epoch=6), expected, strict=True):
        np.testing.assert_allclose(found, weight, atol=1e-6)


def test_a_dataset_of_ones_own_is_trained_on_under_replicas(float64, replicas):
    """Zipped from two batched streams, as users do by hand."""
    import tensorflow as tf

    parts, labels = checks.FewLabels(VIEWS, 16)[0]
    labeled = tf.data.Dataset.from_tensor_slices((parts.pop("labeled"), labels)).batch(8)
    both = tf.data.Dataset.zip(labeled, tf.data.Dataset.from_tensor_slices(parts).batch(16))
    both = both.map(lambda few, many: ({"labeled": few[0], **many}, few[1]))

    def trained():
        model = checks.make("FlexMatch")
        model.compile(keras.optimizers.SGD(0.125), metrics=["accuracy"])
        history = model.fit(both, epochs=2, verbose=0).history
        return checks.numbers(model, history, with_features=False)

    expected = trained()
    with replicas.scope():
        checks.assert_equal(trained(), expected)


def test_plain_images_under_replicas_equal_one_device(float64, replicas):
    def trained():
        model = checks.make("FreeMatch")
        model.compile(keras.optimizers.SGD(0.125), metrics=["accuracy"])
        model.fit(few_labels(), epochs=2, verbose=0)
        return model.get_weights()

    expected = trained()
    with replicas.scope():
        for found, weight in zip(trained(), expected, strict=True):
            np.testing.assert_allclose(found, weight, atol=1e-8)


def test_replicas_do_not_accumulate_gradients(replicas):
    with replicas.scope():
        model = checks.make("FixMatch")
        optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
        with pytest.raises(ValueError, match="`gradient_accumulation_steps` does not work"):
            model.compile(optimizer)


@pytest.mark.parametrize("argument", ["loss", "loss_weights"])
def test_compile_names_what_it_does_not_take(argument):
    with pytest.raises(ValueError, match=f"FixMatch.compile.* takes no `{argument}`"):
        checks.make("FixMatch").compile("sgd", **{argument: "mse"})


def softmaxed():
    encoder = checks.small_encoder()
    dense = keras.layers.Dense(4, activation="softmax")
    return keras.Model(encoder.inputs, dense(encoder.outputs[0]))


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (lambda: "resnet", "`classifier` must be a keras.Model from images .* received str"),
        (lambda: keras.Sequential([keras.layers.Flatten()]), "`classifier` .* is not built"),
        (lambda: checks.small_encoder(width=1), r"`classifier` must return logits of shape"),
        (lambda: checks.make("FixMatch"), "`classifier` is a FixMatch, .* `model.classifier`"),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 3)), softmaxed()]),
            "its last layer ends in a softmax",
        ),
        (softmaxed, "`classifier` must return logits, and its last layer ends in a softmax"),
    ],
)
def test_names_what_is_wrong_with_a_classifier(classifier, message):
    with pytest.raises((TypeError, ValueError), match=message):
        keras_ssl.FixMatch(classifier())
