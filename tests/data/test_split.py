import hashlib

import numpy as np
import pytest
import tensorflow as tf

import keras_ssl
from keras_ssl import data

LABELS = np.arange(40) % 3
IMAGES = np.arange(40, dtype="uint8")[:, None, None, None] * np.ones((1, 4, 4, 1), "uint8")


@pytest.fixture
def dataset():
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))


def positions(labeled):
    """Returns the positions of the chosen images; all pixels of an image are its position."""
    return [int(image[0, 0, 0]) for image, _ in labeled.as_numpy_iterator()]


def choose_by_hash(labels_per_class, seed):
    """Returns the positions of the images with the smallest SHA-256 hashes."""

    def digest(position):
        return hashlib.sha256(f"{seed}:{position}".encode()).hexdigest()

    classes = [np.flatnonzero(k == LABELS) for k in range(3)]
    chosen = [sorted(rows, key=digest)[:labels_per_class] for rows in classes]
    return sorted(map(int, np.concatenate(chosen)))


@pytest.mark.parametrize(("labels_per_class", "seed"), [(1, 0), (4, 0), (4, 7), (13, -1)])
def test_split_labels_keeps_the_images_with_the_smallest_hashes_of_each_class(
    dataset, labels_per_class, seed
):
    labeled, _ = data.split_labels(dataset, labels_per_class, seed)
    assert positions(labeled) == choose_by_hash(labels_per_class, seed)
    assert int(labeled.cardinality()) == 3 * labels_per_class
    counts = np.bincount([label for _, label in labeled.as_numpy_iterator()])
    assert counts.tolist() == [labels_per_class] * 3


def test_split_labels_chooses_the_same_digits_forever():
    labeled, _ = data.split_labels(data.load("digits", "train"), 1, seed=3)
    chosen = [int(label) for _, label in labeled.as_numpy_iterator()]
    assert chosen == [1, 7, 9, 0, 8, 6, 4, 2, 3, 5]  # computed with hashlib and scikit-learn


def test_a_larger_labels_per_class_adds_images_and_another_seed_chooses_others(dataset):
    small, large, other = (
        set(positions(data.split_labels(dataset, n, seed)[0]))
        for n, seed in ((2, 0), (5, 0), (5, 1))
    )
    assert small < large
    assert large != other


def test_the_unlabeled_part_holds_all_images_with_their_labels(dataset):
    _, unlabeled = data.split_labels(dataset, 2)
    assert positions(unlabeled) == list(range(40))
    assert [label for _, label in unlabeled.as_numpy_iterator()] == LABELS.tolist()


def test_split_labels_ignores_labels_below_zero(dataset):
    hidden = dataset.map(
        lambda image, label: (image, tf.where(image[0, 0, 0] < 20, -tf.ones_like(label), label))
    )
    labeled, unlabeled = data.split_labels(hidden, 2)
    assert all(position >= 20 for position in positions(labeled))
    assert int(unlabeled.cardinality()) == 40


def test_split_labels_accepts_dicts(dataset):
    dicts = dataset.map(lambda image, label: {"image": image, "label": label})
    labeled, _ = keras_ssl.data.split_labels(dicts, 4)
    assert positions(labeled) == choose_by_hash(4, 0)


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (
            lambda x: x,
            {"labels_per_class": 14},
            "`labels_per_class` is 14, and class 1 has 13 images",
        ),
        (lambda x: x, {"labels_per_class": 0}, "`labels_per_class` must be at least 1, received 0"),
        (lambda x: x, {"labels_per_class": 2.0}, "`labels_per_class` must be an int, received 2.0"),
        (lambda x: x, {"labels_per_class": 1, "seed": "a"}, "`seed` must be an int, received 'a'"),
        (lambda x: x.batch(4), {"labels_per_class": 1}, "Pass it unbatched"),
        (lambda x: x.repeat(), {"labels_per_class": 1}, "repeats forever"),
        (lambda x: x.take(0), {"labels_per_class": 1}, "`dataset` is empty, or has no label"),
        (lambda x: x.map(lambda i, _: i), {"labels_per_class": 1}, "`dataset` has no labels"),
        (
            lambda x: x.map(lambda i, label: (i, tf.one_hot(label, 3))),
            {"labels_per_class": 1},
            r"`dataset` must have one int label for each image.* shape \(3,\)",
        ),
        (lambda x: IMAGES, {"labels_per_class": 1}, "`dataset` must be a tf.data.Dataset"),
    ],
)
def test_split_labels_rejects_bad_arguments(dataset, change, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        data.split_labels(change(dataset), **arguments)


def test_split_labels_rejects_images_of_several_sizes():
    shapes = tf.TensorSpec((None, None, 1), tf.uint8), tf.TensorSpec((), tf.int64)
    mixed = tf.data.Dataset.from_generator(lambda: iter([]), output_signature=shapes)
    with pytest.raises(ValueError, match=r"images of one size.*Load them .*image_size"):
        data.split_labels(mixed, 1)
