"""Input data of semi-supervised methods: accepted kinds, and errors before training."""

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf

import keras_ssl

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (40, 8, 8, 3), dtype="uint8"), np.arange(40) % 4


@pytest.fixture
def model():
    model = checks.make("FixMatch")
    model.compile("sgd", metrics=["accuracy"], run_eagerly=True)
    return model


def make_element(**changes):
    """Returns a batch with some parts changed; None removes a part."""
    parts, labels = checks.FewLabels(checks.two_views(16), 16)[0]
    parts = {**parts, "labels": labels, **changes}
    labels = parts.pop("labels")
    return {name: part for name, part in parts.items() if part is not None}, labels


def error_of_fit(model, x):
    """Returns the message of the error that `fit` raises before any weight changes."""
    before = model.get_weights()
    with pytest.raises((TypeError, ValueError)) as error:
        model.fit(x, verbose=0)
    for new, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)
    return str(error.value)


ELEMENTS = {
    "no strong view": ({"strong": None}, "its dict lacks 'strong'"),
    "unknown part": ({"medium": np.zeros(16)}, "its dict has 'medium'"),
    "labels too large": ({"labels": LABELS[:8] + 1}, "`labels` must lie in 0..3.*from 1 to 4"),
    "labels below 0": ({"labels": LABELS[:8] - 1}, "`labels` must lie in 0..3.*from -1 to 2"),
    "one-hot labels": ({"labels": np.eye(4)[LABELS[:8]]}, r"one class index.* shape \(8, 4\)"),
    "float labels": ({"labels": LABELS[:8] / 1.0}, "`labels` must be ints.*float64"),
    "pixel range": ({"weak": np.full((16, 8, 8, 3), 9.0)}, r"`x\['weak'\]` has float pixels"),
    "image size": (
        {"labeled": IMAGES[:8, :6]},
        r"`x\['labeled'\]` has height 6 and the network takes",
    ),
    "index below 0": ({"index": np.arange(16) - 1}, r"`x\['index'\]` must lie in .* from -1 to 14"),
    "float index": (
        {"index": np.arange(16) / 1.0},
        r"`x\['index'\]` must be ints of shape \(16,\)",
    ),
    "shape of unlabeled labels": (
        {"unlabeled_labels": np.zeros((16, 1))},
        r"unlabeled_labels.*shape \(16, 1\)",
    ),
    "fewer strong views": ({"strong": IMAGES[:15]}, "different numbers of images: .*'strong': 15"),
}


@pytest.mark.parametrize("case", ELEMENTS)
def test_fit_rejects_invalid_elements(case):
    images = keras.Input((8, 8, 3))
    model = keras_ssl.FixMatch(
        keras_ssl.models.classifier(keras.Model(images, checks.small_encoder()(images)), 4)
    )
    model.compile("sgd", run_eagerly=True)
    changes, message = ELEMENTS[case]
    with pytest.raises(ValueError, match=message):
        model.fit(tf.data.Dataset.from_tensors(make_element(**changes)), verbose=0)


def test_fit_rejects_data_without_semi_supervised_elements(model):
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    assert "keras_ssl.data.semi_supervised" in error_of_fit(model, pairs.batch(8))
    assert "received ndarray" in error_of_fit(model, IMAGES)
    assert "is empty" in error_of_fit(model, tf.data.Dataset.from_tensors(make_element()).take(0))
    endless = tf.data.Dataset.from_tensors(make_element()).repeat()
    assert "repeats forever: pass `steps_per_epoch`" in error_of_fit(model, endless)


def semi_supervised(labels):
    labeled = tf.data.Dataset.from_tensor_slices((IMAGES, labels))
    flip = keras_ssl.views.RandomFlip()  # traced sooner than the default
    return keras_ssl.data.semi_supervised(labeled, labeled, 8, 2, weak=flip, strong=flip)


def test_fit_rejects_classes_without_a_label_and_labels_without_a_logit(model):
    message = error_of_fit(model, semi_supervised(LABELS % 3))
    assert "there are no labeled examples for classes [3]. Label" in message
    message = error_of_fit(model, semi_supervised(np.arange(40) % 5))
    assert "labels up to 4 and `classifier` returns 4 logits" in message or "0..3" in message


def test_fit_rejects_an_encoder_in_place_of_a_classifier():
    encoder = keras_ssl.encoders.small_resnet((8, 8, 3), width=4)
    model = keras_ssl.FixMatch(encoder)
    model.compile("sgd", run_eagerly=True)
    message = error_of_fit(model, semi_supervised(LABELS))
    assert "has 32 outputs but there are no labeled examples for classes [4, 5, 6" in message
    assert "13] and others" in message
    assert "keras_ssl.models.classifier(encoder, 4)" in message


@pytest.mark.parametrize("part", ["labels", "pixels"])
def test_fit_reports_the_index_of_an_invalid_later_batch(model, part):
    bad = {"labels": LABELS[:8] + 1} if part == "labels" else {"weak": np.full((16, 8, 8, 3), 9.0)}
    batches = [make_element(), make_element(), make_element(**bad)]
    parts = {name: np.stack([b[0][name] for b in batches]) for name in batches[0][0]}
    labels = np.stack([b[1] for b in batches])
    x = tf.data.Dataset.from_tensor_slices((parts, labels))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)batch with index.*2"):
        model.fit(x, verbose=0)


class Batches(keras.utils.PyDataset):
    """A dataset of the given batches."""

    def __init__(self, *batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


@pytest.mark.parametrize("bad", [{"labels": LABELS[:8] + 1}, {"index": np.arange(16) - 1}])
def test_fit_reports_the_index_of_an_invalid_later_batch_of_a_pydataset(model, bad):
    with pytest.raises(ValueError, match=r"In the batch with index 1: .* must lie in"):
        model.fit(Batches(make_element(), make_element(**bad)), verbose=0)


def test_labels_in_a_column_as_in_keras_datasets_are_accepted(model):
    column = LABELS[:, None]
    expected = model.evaluate(IMAGES, LABELS, batch_size=20, verbose=0)
    batches = Batches((IMAGES[:20], column[:20]), (IMAGES[20:], column[20:]))
    np.testing.assert_allclose(model.evaluate(batches, verbose=0), expected, rtol=1e-5)
    dataset = tf.data.Dataset.from_tensors(make_element(labels=column[:8]))
    history = model.fit(dataset, validation_data=(IMAGES, column), verbose=0).history
    assert {"val_loss", "val_accuracy"} <= set(history)


@pytest.mark.parametrize(
    "batch_size", [11, *(pytest.param(size, marks=pytest.mark.slow) for size in (8, 5))]
)
def test_evaluate_on_replicas_accepts_batches_that_replicas_do_not_divide(batch_size, replicas):
    expected = checks.make("FixMatch")
    expected.compile("sgd", metrics=["accuracy"], run_eagerly=True)
    with replicas.scope():
        model = checks.make("FixMatch")
        model.compile("sgd", metrics=["accuracy"], run_eagerly=True)
    x, y = IMAGES[:11], LABELS[:11]
    np.testing.assert_allclose(
        model.evaluate(x, y, batch_size=batch_size, verbose=0),
        expected.evaluate(x, y, verbose=0),
        rtol=1e-5,
    )


def test_fit_rejects_a_classifier_without_trainable_weights(model):
    frozen = keras_ssl.FixMatch(model.ema_classifier)
    frozen.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="`classifier` has no trainable weights"):
        frozen.fit(tf.data.Dataset.from_tensors(make_element()), verbose=0)


def test_train_on_batch_and_test_on_batch_return_logs(model):
    parts, labels = make_element()
    logs = model.train_on_batch(parts, labels, return_dict=True)
    assert {"loss", "mask_rate"} <= set(logs)
    assert "loss" in model.test_on_batch(IMAGES[:8], LABELS[:8], return_dict=True)


def test_evaluate_needs_a_compiled_model():
    with pytest.raises(ValueError, match="compile"):
        checks.make("FixMatch").evaluate(IMAGES, LABELS, verbose=0)


def test_fit_rejects_metrics_with_a_name_that_the_method_logs():
    model = checks.make("FixMatch")
    model.compile(
        "sgd", metrics=[keras.metrics.SparseCategoricalAccuracy(name="threshold")], run_eagerly=True
    )
    with pytest.raises(ValueError, match="`metrics` contains 'threshold'"):
        model.fit(tf.data.Dataset.from_tensors(make_element()), verbose=0)


def test_fit_drops_a_last_batch_that_is_not_full(model):
    parts, labels = make_element()
    labeled = tf.data.Dataset.from_tensor_slices((parts.pop("labeled"), labels)).batch(4)
    x = tf.data.Dataset.zip(labeled, tf.data.Dataset.from_tensor_slices(parts).batch(10))
    x = x.map(lambda pair, parts: ({"labeled": pair[0], **parts}, pair[1]))
    model.fit(x, verbose=0)
    assert int(model.step) == 1


def test_fit_rejects_semi_supervised_batches_that_replicas_do_not_divide(replicas):
    with replicas.scope():
        model = checks.make("FixMatch")
        model.compile("sgd", run_eagerly=True)
    element = make_element(labeled=IMAGES[:7], labels=LABELS[:7])
    message = r"batch of 7 images, x\['labeled'\], cannot be split among 2 replicas"
    with pytest.raises(ValueError, match=message):
        model.fit(tf.data.Dataset.from_tensors(element), verbose=0)


EVALUATION_DATA = {
    "no labels": ((IMAGES,), "`x` has no labels"),
    "labels too large": ((IMAGES, LABELS + 9), "`y` must lie in 0..3.* from 9 to 12"),
    "fewer labels": ((IMAGES, LABELS[:5]), r"one class index per image, shape \(40,\).* \(5,\)"),
    "pixel range": ((IMAGES / 1.0, LABELS), "float pixels from 0 to 255"),
    "training data": ((semi_supervised(LABELS),), "`x` holds elements for `fit`"),
    "images": ((tf.data.Dataset.from_tensor_slices(IMAGES).batch(4),), "has no labels"),
    "a list": (([1, 2], LABELS), "received list"),
}


@pytest.mark.parametrize("case", EVALUATION_DATA)
def test_evaluate_rejects_invalid_data(model, case):
    arguments, message = EVALUATION_DATA[case]
    with pytest.raises((TypeError, ValueError), match=message):
        model.evaluate(*arguments, verbose=0)


def test_evaluate_accepts_datasets_dicts_and_arrays_and_drops_no_image(model):
    expected = model.evaluate(IMAGES, LABELS, batch_size=40, verbose=0)
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    dicts = pairs.map(lambda image, label: {"image": image, "label": label})
    column = pairs.map(lambda image, label: (image, label[None]))  # as keras.datasets has them
    for logs in (
        model.evaluate(IMAGES / np.float32(255), LABELS, batch_size=16, verbose=0),
        model.evaluate(pairs.batch(16), verbose=0),
        model.evaluate(dicts.batch(7), verbose=0),
        model.evaluate(IMAGES, LABELS[:, None], verbose=0),
        model.evaluate(column.batch(16), verbose=0),
    ):
        np.testing.assert_allclose(logs, expected, rtol=1e-5)
