"""What `fit` and `evaluate` refuse before training starts, and what they say."""

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
    model.compile("sgd", metrics=["accuracy"])
    return model


def element(**changes):
    """One batch, of which some parts are changed; None leaves a part out."""
    parts, labels = checks.FewLabels(checks.two_views(16), 16)[0]
    changed = {**parts, "labels": labels, **changes}
    labels = changed.pop("labels")
    return {name: part for name, part in changed.items() if part is not None}, labels


def refused(model, x):
    """What `fit` says; nothing has been trained."""
    before = model.get_weights()
    with pytest.raises((TypeError, ValueError)) as error:
        model.fit(x, verbose=0)
    for new, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)
    return str(error.value)


ELEMENTS = {
    "no strong view": ({"strong": None}, "its dict lacks 'strong'"),
    "unknown part": ({"medium": np.zeros(16)}, "its dict has 'medium'"),
    "labels beyond": ({"labels": LABELS[:8] + 1}, "`labels` must lie in 0..3.*from 1 to 4"),
    "labels below": ({"labels": LABELS[:8] - 1}, "`labels` must lie in 0..3.*from -1 to 2"),
    "one-hot labels": ({"labels": np.eye(4)[LABELS[:8]]}, r"one class number.* shape \(8, 4\)"),
    "float labels": ({"labels": LABELS[:8] / 1.0}, "`labels` must be ints.*float64"),
    "range": ({"weak": np.full((16, 8, 8, 3), 9.0)}, r"`x\['weak'\]` has float pixels"),
    "size": ({"labeled": IMAGES[:8, :6]}, r"`x\['labeled'\]` has height 6 and the network takes"),
    "index beyond": ({"index": np.arange(16) - 1}, r"`x\['index'\]` must lie in .* from -1 to 14"),
    "index": ({"index": np.arange(16) / 1.0}, r"`x\['index'\]` must be ints of shape \(16,\)"),
    "truth": ({"unlabeled_labels": np.zeros((16, 1))}, r"unlabeled_labels.*shape \(16, 1\)"),
    "fewer strong": ({"strong": IMAGES[:15]}, "different numbers of images: .*'strong': 15"),
}


@pytest.mark.parametrize("case", ELEMENTS)
def test_an_element_that_is_not_as_described_is_named(case):
    images = keras.Input((8, 8, 3))
    model = keras_ssl.FixMatch(
        keras_ssl.models.classifier(keras.Model(images, checks.small_encoder()(images)), 4)
    )
    model.compile("sgd")
    changes, message = ELEMENTS[case]
    with pytest.raises(ValueError, match=message):
        model.fit(tf.data.Dataset.from_tensors(element(**changes)), verbose=0)


def test_other_data_is_refused_with_what_is_accepted(model):
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    assert "keras_ssl.data.semi_supervised" in refused(model, pairs.batch(8))
    assert "received ndarray" in refused(model, IMAGES)
    assert "is empty" in refused(model, tf.data.Dataset.from_tensors(element()).take(0))
    endless = tf.data.Dataset.from_tensors(element()).repeat()
    assert "repeats forever: pass `steps_per_epoch`" in refused(model, endless)


def semi_supervised(labels):
    few = tf.data.Dataset.from_tensor_slices((IMAGES, labels))
    return keras_ssl.data.semi_supervised(few, few, 8, unlabeled_ratio=2)


def test_a_class_without_a_label_and_one_without_a_logit_are_named(model):
    assert "no labeled image shows class 3. Label" in refused(model, semi_supervised(LABELS % 3))
    found = refused(model, semi_supervised(np.arange(40) % 5))
    assert "labels up to 4, and `classifier` returns 4 logits" in found or "0..3" in found


def test_an_encoder_instead_of_a_classifier_is_named():
    encoder = keras_ssl.encoders.small_resnet((8, 8, 3), width=4)
    model = keras_ssl.FixMatch(encoder)
    model.compile("sgd")
    found = refused(model, semi_supervised(LABELS))
    assert "returns 32 logits, and no labeled image shows class 4, nor 27 others" in found
    assert "keras_ssl.models.classifier(encoder, 4)" in found


@pytest.mark.parametrize("part", ["labels", "pixels"])
def test_a_later_batch_is_named_by_its_index(model, part):
    bad = {"labels": LABELS[:8] + 1} if part == "labels" else {"weak": np.full((16, 8, 8, 3), 9.0)}
    batches = [element(), element(), element(**bad)]
    parts = {name: np.stack([b[0][name] for b in batches]) for name in batches[0][0]}
    labels = np.stack([b[1] for b in batches])
    x = tf.data.Dataset.from_tensor_slices((parts, labels))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)batch with index.*2"):
        model.fit(x, verbose=0)


class Batches(keras.utils.PyDataset):
    """Batches as they are given."""

    def __init__(self, *batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


@pytest.mark.parametrize("bad", [{"labels": LABELS[:8] + 1}, {"index": np.arange(16) - 1}])
def test_a_later_batch_of_a_py_dataset_is_checked_too(model, bad):
    with pytest.raises(ValueError, match=r"In the batch with index 1: .* must lie in"):
        model.fit(Batches(element(), element(**bad)), verbose=0)


def test_labels_in_a_column_are_those_of_keras_datasets(model):
    column = LABELS[:, None]
    expected = model.evaluate(IMAGES, LABELS, batch_size=20, verbose=0)
    batches = Batches((IMAGES[:20], column[:20]), (IMAGES[20:], column[20:]))
    np.testing.assert_allclose(model.evaluate(batches, verbose=0), expected, rtol=1e-5)
    few = tf.data.Dataset.from_tensors(element(labels=column[:8]))
    history = model.fit(few, validation_data=(IMAGES, column), verbose=0).history
    assert {"val_loss", "val_accuracy"} <= set(history)


@pytest.mark.parametrize("batch_size", [11, 8, 5])
def test_replicas_evaluate_batches_that_they_cannot_share(batch_size, replicas):
    expected = checks.make("FixMatch")
    expected.compile("sgd", metrics=["accuracy"])
    with replicas.scope():
        model = checks.make("FixMatch")
        model.compile("sgd", metrics=["accuracy"])
    x, y = IMAGES[:11], LABELS[:11]
    np.testing.assert_allclose(
        model.evaluate(x, y, batch_size=batch_size, verbose=0),
        expected.evaluate(x, y, verbose=0),
        rtol=1e-5,
    )


def test_a_classifier_with_nothing_to_train_is_named(model):
    frozen = keras_ssl.FixMatch(model.ema_classifier)
    frozen.compile("sgd")
    with pytest.raises(ValueError, match="`classifier` has no weights to train"):
        frozen.fit(tf.data.Dataset.from_tensors(element()), verbose=0)


def test_training_and_evaluation_on_one_batch_work_as_in_keras(model):
    parts, labels = element()
    first = model.train_on_batch(parts, labels, return_dict=True)
    assert {"loss", "mask_rate"} <= set(first)
    assert "loss" in model.test_on_batch(IMAGES[:8], LABELS[:8], return_dict=True)


def test_evaluation_needs_a_compiled_model():
    with pytest.raises(ValueError, match="compile"):
        checks.make("FixMatch").evaluate(IMAGES, LABELS, verbose=0)


def test_metrics_named_as_what_is_logged_are_refused():
    model = checks.make("FixMatch")
    model.compile("sgd", metrics=[keras.metrics.SparseCategoricalAccuracy(name="threshold")])
    with pytest.raises(ValueError, match="`metrics` has one named 'threshold'"):
        model.fit(tf.data.Dataset.from_tensors(element()), verbose=0)


def test_a_last_batch_that_is_not_full_is_dropped(model):
    parts, labels = element()
    few = tf.data.Dataset.from_tensor_slices((parts.pop("labeled"), labels)).batch(4)
    x = tf.data.Dataset.zip(few, tf.data.Dataset.from_tensor_slices(parts).batch(10))
    x = x.map(lambda few, many: ({"labeled": few[0], **many}, few[1]))
    model.fit(x, verbose=0)
    assert int(model.step) == 1


def test_replicas_need_batches_that_they_can_share(replicas):
    with replicas.scope():
        model = checks.make("FixMatch")
        model.compile("sgd")
    odd = element(labeled=IMAGES[:7], labels=LABELS[:7])
    with pytest.raises(ValueError, match=r"batch of 7 images, x\['labeled'\].* over 2 replicas"):
        model.fit(tf.data.Dataset.from_tensors(odd), verbose=0)


EVALUATED = {
    "no labels": ((IMAGES,), "`x` has no labels to compare with"),
    "labels beyond": ((IMAGES, LABELS + 9), "`y` must lie in 0..3.* from 9 to 12"),
    "fewer labels": ((IMAGES, LABELS[:5]), r"one class number for each of 40 images.* \(5,\)"),
    "range": ((IMAGES / 1.0, LABELS), "float pixels from 0 to 255"),
    "training data": ((semi_supervised(LABELS),), "`x` holds what `fit` takes"),
    "images": ((tf.data.Dataset.from_tensor_slices(IMAGES).batch(4),), "has no labels"),
    "a list": (([1, 2], LABELS), "received list"),
}


@pytest.mark.parametrize("case", EVALUATED)
def test_evaluate_names_what_it_cannot_use(model, case):
    arguments, message = EVALUATED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        model.evaluate(*arguments, verbose=0)


def test_evaluate_takes_datasets_dicts_and_arrays_and_drops_no_image(model):
    expected = model.evaluate(IMAGES, LABELS, batch_size=40, verbose=0)
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    dicts = pairs.map(lambda image, label: {"image": image, "label": label})
    column = pairs.map(lambda image, label: (image, label[None]))  # as keras.datasets has them
    for found in (
        model.evaluate(IMAGES / np.float32(255), LABELS, batch_size=16, verbose=0),
        model.evaluate(pairs.batch(16), verbose=0),
        model.evaluate(dicts.batch(7), verbose=0),
        model.evaluate(IMAGES, LABELS[:, None], verbose=0),
        model.evaluate(column.batch(16), verbose=0),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
