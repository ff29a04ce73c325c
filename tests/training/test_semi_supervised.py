"""The base class of semi-supervised methods."""

from pathlib import Path

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf
from processes import run_python

import keras_ssl

VIEWS = checks.two_views(16)


@keras.saving.register_keras_serializable("tests")
class BatchSizes(keras.layers.Layer):
    """Records the batch size of each call."""

    recorded = []

    def call(self, images):
        BatchSizes.recorded.append(images.shape[0])
        return images


def test_labeled_weak_and_strong_images_run_through_the_classifier_as_one_batch():
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalMaxPooling2D()(BatchSizes()(images))
    model = keras_ssl.FixMatch(keras_ssl.models.classifier(keras.Model(images, x), 4))
    model.compile("sgd", run_eagerly=True)
    BatchSizes.recorded.clear()
    checks.train(model, VIEWS, epochs=1)
    assert BatchSizes.recorded == [8 + 16 + 16]


def test_batch_norm_sees_labeled_weak_and_strong_images(float64):
    model = checks.make("FixMatch")
    convolution, norm = model.classifier.layers[1].layers[1:3]
    features = np.asarray(convolution(np.concatenate([VIEWS[0][:8], *VIEWS])))
    before = np.array(norm.moving_mean)
    checks.train(model, VIEWS, epochs=1)
    expected = 0.9 * before + 0.1 * features.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-5)


def test_ema_classifier_averages_weights_and_copies_batch_norm_statistics(float64):
    model = checks.make("FixMatch", ema_momentum=0.75)
    before = checks.arrays(model.ema_classifier.weights)
    checks.train(model, VIEWS, epochs=1)
    pairs = zip(model.ema_classifier.weights, model.classifier.weights, before, strict=True)
    for average, weight, old in pairs:
        expected = 0.75 * old + 0.25 * np.asarray(weight) if weight.trainable else weight
        np.testing.assert_allclose(average, expected, atol=1e-12, err_msg=weight.path)


def test_call_predict_evaluate_and_exports_use_the_averaged_weights(tmp_path):
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


def test_calling_the_model_in_training_mode_does_not_change_the_average():
    model = checks.make("FixMatch")
    before = checks.arrays(model.ema_classifier.weights)
    expected = np.asarray(model(VIEWS[0]))
    np.testing.assert_array_equal(model(VIEWS[0], training=True), expected)
    for new, old in zip(model.ema_classifier.weights, before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_ema_classifier_stays_frozen_when_trainable_is_set():
    model = checks.make("FixMatch")
    for value in (False, True):
        model.trainable = value
        assert not model.ema_classifier.trainable_weights
    assert len(model.trainable_weights) == len(model.classifier.trainable_weights)


def test_fit_logs_losses_mask_rate_threshold_and_accuracies():
    model = checks.make("FixMatch")
    history = checks.train(model, VIEWS, validation_data=(VIEWS[0], checks.labels(16)))
    names = {"loss", "supervised_loss", "unsupervised_loss", "mask_rate", "threshold", "accuracy"}
    assert set(history) == names | {"pseudo_label_accuracy", "val_loss", "val_accuracy"}


def test_fit_without_labels_of_unlabeled_images_logs_no_pseudo_label_accuracy():
    class WithoutLabels(checks.FewLabels):
        def __getitem__(self, position):
            parts, labels = super().__getitem__(position)
            del parts["unlabeled_labels"]
            return parts, labels

    model = checks.make("FixMatch")
    model.compile("sgd")
    assert "pseudo_label_accuracy" not in model.fit(WithoutLabels(VIEWS, 16), verbose=0).history


def test_pseudo_label_accuracy_ignores_labels_below_zero():
    class HalfLabeled(checks.FewLabels):
        def __getitem__(self, position):
            parts, labels = super().__getitem__(position)
            truth = np.where(np.arange(16) < 8, parts["unlabeled_labels"], -1)
            return {**parts, "unlabeled_labels": truth}, labels

    model = checks.make("FixMatch", threshold=0.0)
    model.compile("sgd")
    logits = np.asarray(model.classifier(np.concatenate([VIEWS[0][:8], *VIEWS]), training=True))
    expected = np.mean(logits[8:16].argmax(axis=1) == checks.labels(8))
    history = model.fit(HalfLabeled(VIEWS, 16), verbose=0).history
    assert history["pseudo_label_accuracy"][0] == pytest.approx(expected)


def test_pseudo_label_accuracy_averages_over_the_images_used_in_an_epoch(float64):
    model = checks.make("FixMatch", threshold=0.45)
    model.compile(keras.optimizers.SGD(0.0))
    views = checks.two_views(32)
    is_correct, is_used = [], []
    for batch in (slice(0, 16), slice(16, 32)):
        images = np.concatenate([views[0][batch][:8], views[0][batch], views[1][batch]])
        logits = np.asarray(model.classifier(images, training=True))[8:24]
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        is_used.append(p.max(axis=1) >= 0.45)
        is_correct.append(p.argmax(axis=1) == np.arange(32)[batch] % 4)
    is_used, is_correct = np.concatenate(is_used), np.concatenate(is_correct)
    history = checks.train(model, views, epochs=1)
    assert history["pseudo_label_accuracy"][0] == pytest.approx(is_correct[is_used].mean())
    assert history["mask_rate"][0] == pytest.approx(is_used.mean())


def test_schedules_of_unlabeled_weight_and_ema_momentum_follow_the_step():
    decay = keras.optimizers.schedules.PolynomialDecay(1.0, 2, 0.0)
    model = checks.make("FixMatch", threshold=0.0, unlabeled_weight=decay, ema_momentum=decay)
    history = checks.train(model, VIEWS, epochs=3)
    for step, weight in enumerate((1.0, 0.5, 0.0)):
        unsupervised = history["loss"][step] - history["supervised_loss"][step]
        assert unsupervised == pytest.approx(weight * history["unsupervised_loss"][step], abs=1e-5)
    pairs = zip(model.ema_classifier.weights, model.classifier.weights, strict=True)
    for average, weight in pairs:
        np.testing.assert_allclose(average, weight, atol=1e-6)


@pytest.mark.parametrize("option", [{"steps_per_execution": 2}, {"run_eagerly": True}])
def test_trained_classifier_does_not_depend_on_options_of_compile(option, float64):
    def train(**kwargs):
        model = checks.make("FlexMatch")
        optimizer = keras.optimizers.SGD(model.rate, momentum=0.875)
        model.compile(optimizer, metrics=["accuracy"], **kwargs)
        checks.train(model, checks.two_views())
        return model.get_weights()

    for weight, expected in zip(train(**option), train(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-10)


def test_gradient_accumulation_updates_averages_and_state_once_per_optimizer_step():
    model = checks.make("FreeMatch")
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    before = checks.arrays([model.confidence, *model.ema_classifier.weights])
    checks.train(model, VIEWS, epochs=1, optimizer=optimizer, run_eagerly=False)
    for new, old in zip([model.confidence, *model.ema_classifier.weights], before, strict=True):
        np.testing.assert_array_equal(new, old)
    checks.train(model, VIEWS, epochs=1)
    assert float(model.confidence) != before[0]
    assert int(model.total_steps) == int(model.step) == 1


def images_and_labels(count=48):
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype="uint8")
    return images, np.arange(count) % 4


def few_labels(**kwargs):
    """Few labels, with views that are traced sooner than those of FixMatch."""
    views = {"weak": keras_ssl.views.RandomFlip(), "strong": keras_ssl.views.RandomShift(2)}
    dataset = tf.data.Dataset.from_tensor_slices(images_and_labels())
    labeled, unlabeled = keras_ssl.data.split_labels(dataset, labels_per_class=2)
    return keras_ssl.data.semi_supervised(
        labeled, unlabeled, 8, unlabeled_ratio=2, **{**views, **kwargs}
    )


RESUME = """
import sys; sys.path.insert(0, sys.argv[1])
import keras, numpy as np, keras_ssl
from test_semi_supervised import few_labels
model = keras.saving.load_model("m.keras")
model.fit(few_labels(), epochs=4, initial_epoch=2, verbose=0)
np.savez("weights.npz", *model.get_weights())
"""


@pytest.mark.slow
def test_dash_resumed_in_a_new_process_equals_the_uninterrupted_run(tmp_path, graph_optimizer):
    def train(epochs):
        model = checks.make("Dash", warmup=2)
        optimizer = keras_ssl.optimizers.L2SGD(0.05, weight_decay=0.1)
        model.compile(optimizer, metrics=["accuracy"])
        model.fit(few_labels(), epochs=epochs, verbose=0)
        return model

    train(2).save(tmp_path / "m.keras")
    run_python(RESUME, Path(__file__).parent, cwd=tmp_path)
    resumed = np.load(tmp_path / "weights.npz")
    uninterrupted = train(4)
    assert int(uninterrupted.step) == 12
    for i, expected in enumerate(uninterrupted.get_weights()):
        if uninterrupted.weights[i].path.endswith("total_steps"):
            continue
        np.testing.assert_allclose(resumed[f"arr_{i}"], expected, atol=1e-6)


def test_an_epoch_of_steps_per_epoch_continues_through_the_dataset():
    def train(**kwargs):
        model = checks.make("FixMatch")
        model.compile(keras.optimizers.SGD(0.05))
        model.fit(few_labels(), verbose=0, **kwargs)
        return model.get_weights()

    expected_weights = train(epochs=4)  # of three steps each
    weights = train(epochs=2, steps_per_epoch=6)
    for weight, expected in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


@pytest.mark.slow
def test_a_dataset_zipped_by_the_user_trains_equally_on_replicas(float64, replicas):
    parts, labels = checks.FewLabels(VIEWS, 16)[0]
    labeled = tf.data.Dataset.from_tensor_slices((parts.pop("labeled"), labels)).batch(8)
    unlabeled = tf.data.Dataset.from_tensor_slices(parts).batch(16)
    dataset = tf.data.Dataset.zip(labeled, unlabeled)
    dataset = dataset.map(lambda pair, parts: ({"labeled": pair[0], **parts}, pair[1]))

    def train():
        model = checks.make("FlexMatch")
        model.compile(keras.optimizers.SGD(0.125), metrics=["accuracy"])
        history = model.fit(dataset, epochs=2, verbose=0).history
        return checks.numbers(model, history, with_features=False)

    expected = train()
    with replicas.scope():
        checks.assert_equal(train(), expected)


@pytest.mark.slow
def test_training_on_semi_supervised_data_is_equal_on_replicas(float64, replicas):
    def train():
        model = checks.make("FreeMatch")
        model.compile(keras.optimizers.SGD(0.125), metrics=["accuracy"])
        model.fit(few_labels(), epochs=2, verbose=0)
        return model.get_weights()

    expected_weights = train()
    with replicas.scope():
        for weight, expected in zip(train(), expected_weights, strict=True):
            np.testing.assert_allclose(weight, expected, atol=1e-8)


def test_compile_under_replicas_rejects_gradient_accumulation(replicas):
    with replicas.scope():
        model = checks.make("FixMatch")
        optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
        with pytest.raises(ValueError, match="`gradient_accumulation_steps` does not work"):
            model.compile(optimizer)


@pytest.mark.parametrize("argument", ["loss", "loss_weights"])
def test_compile_of_a_semi_supervised_method_rejects_losses(argument):
    with pytest.raises(ValueError, match=f"`{argument}` is not supported by FixMatch.compile"):
        checks.make("FixMatch").compile("sgd", **{argument: "mse"})


def softmax_classifier():
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
            lambda: keras.Sequential([keras.Input((8, 8, 3)), softmax_classifier()]),
            "its last layer ends in a softmax",
        ),
        (
            softmax_classifier,
            "`classifier` must return logits, and its last layer ends in a softmax",
        ),
    ],
)
def test_fixmatch_rejects_invalid_classifiers(classifier, message):
    with pytest.raises((TypeError, ValueError), match=message):
        keras_ssl.FixMatch(classifier())
