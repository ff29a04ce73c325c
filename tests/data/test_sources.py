from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from keras_ssl import data

PREPARED = Path(__file__).parents[3] / "shared" / "datasets"
needs_cifar10 = pytest.mark.skipif(
    not (PREPARED / "cifar10").exists(), reason="the prepared CIFAR-10 is absent"
)


def collect(dataset):
    return [np.stack(part) for part in zip(*dataset.as_numpy_iterator(), strict=True)]


def test_digits_are_those_of_scikit_learn_in_uint8_and_in_order():
    (train, train_labels), (test, test_labels) = map(collect, data.load_train_and_test("digits"))
    digits = load_digits()
    assert train.shape == (1437, 8, 8, 1)
    assert test.shape == (360, 8, 8, 1)
    assert train.dtype == "uint8"
    expected = digits.images[..., None] / 16
    np.testing.assert_allclose(np.concatenate([train, test]) / 255, expected, atol=0.5 / 255)
    np.testing.assert_array_equal(np.concatenate([train_labels, test_labels]), digits.target)


def test_loaded_arrays_keep_their_order_labels_and_dtype(rng):
    images = rng.integers(0, 256, (7, 5, 4, 3), dtype="uint8")
    loaded, labels = collect(data.load((images, np.arange(7, dtype="int32"))))
    np.testing.assert_array_equal(loaded, images)
    np.testing.assert_array_equal(labels, np.arange(7))
    assert labels.dtype == "int64"
    assert data.load(images).element_spec == tf.TensorSpec((5, 4, 3), tf.uint8)
    floats = np.stack(list(data.load(images / np.float32(255)).as_numpy_iterator()))
    assert floats.dtype == "float32"
    assert floats.max() <= 1


def test_a_fifth_of_an_array_is_held_out_and_nothing_is_lost(rng):
    images = rng.random((23, 4, 4, 3))
    train, test = data.load_train_and_test((images, np.arange(23)))
    assert (train.cardinality(), test.cardinality()) == (19, 4)
    train_labels, test_labels = collect(train)[1], collect(test)[1]
    assert test_labels.tolist() == [4, 9, 14, 19]
    assert sorted([*train_labels, *test_labels]) == list(range(23))


def test_image_size_crops_the_center_to_its_aspect_ratio():
    wide = np.zeros((1, 4, 12, 3), "uint8")
    wide[:, :, 4:8] = 200
    image = next(data.load(wide, image_size=2).as_numpy_iterator())
    np.testing.assert_array_equal(image, np.full((2, 2, 3), 200))
    tall = np.swapaxes(wide, 1, 2)
    assert data.load(tall, image_size=(3, 6)).element_spec.shape == (3, 6, 3)


def test_downsampling_is_antialiased():
    stripes = np.zeros((1, 16, 16, 1), "uint8")
    stripes[:, :, ::2] = 200
    image = next(data.load(stripes, image_size=4).as_numpy_iterator())
    assert np.abs(image.astype(int) - 100).max() <= 12


@needs_cifar10
def test_tensorflow_datasets_load_by_name_in_a_fixed_order():
    train, test = data.load_train_and_test("cifar10", data_dir=PREPARED)
    assert (train.cardinality(), test.cardinality()) == (50_000, 10_000)
    assert train.element_spec == (
        tf.TensorSpec((32, 32, 3), tf.uint8),
        tf.TensorSpec((), tf.int64),
    )
    first, again = (collect(test.take(50)) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    subset = data.load("cifar10", split="test[:30]", data_dir=str(PREPARED), image_size=16)
    assert collect(subset)[0].shape == (30, 16, 16, 3)
    with pytest.raises(ValueError, match="Unknown split 'dev'"):
        data.load("cifar10", split="dev", data_dir=PREPARED)


def test_load_rejects_unknown_names_and_lists_similar_ones():
    with pytest.raises(ValueError, match=r"'cifra10' is not an existing folder.*cifar10, cifar100"):
        data.load("cifra10")
    with pytest.raises(ValueError, match="Similar names: digits"):
        data.load("digit")
    with pytest.raises(ValueError, match=r"'/no/such/folder' is not an existing folder"):
        data.load("/no/such/folder")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "digits", "split": "dev"}, ValueError, "`split` of digits must be"),
        ({"name": np.zeros((4, 3, 3, 1)), "split": "test"}, ValueError, "`split` of arrays must"),
        ({"name": np.zeros((4, 3, 3))}, ValueError, r"images\[\.\.\., None\]"),
        ({"name": np.zeros((0, 3, 3, 1))}, ValueError, "at least one"),
        (
            {"name": (np.zeros((4, 3, 3, 1)), np.zeros(3))},
            ValueError,
            r"must be ints of shape \(4,\)",
        ),
        ({"name": 7}, TypeError, "`name` must be the name of a dataset, the path of a folder"),
        ({"name": "digits", "image_size": 0}, ValueError, "`image_size` must be an int above 0"),
        ({"name": "digits", "image_size": (8, 2.0)}, ValueError, "`image_size` must be"),
        ({"name": "digits", "image_size": True}, ValueError, "`image_size` must be"),
        (
            {"name": "digits", "corrupt": "ignore"},
            ValueError,
            r"`corrupt` must be one of \('skip', 'error'\)",
        ),
    ],
)
def test_load_rejects_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        data.load(**arguments)


def test_load_train_and_test_rejects_too_few_images_to_hold_some_out():
    with pytest.raises(ValueError, match="4 images, too few to hold some out"):
        data.load_train_and_test(np.zeros((4, 3, 3, 1)))
