import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import data, views

LABELS = np.arange(40) % 4
IMAGES = np.arange(40, dtype="uint8")[:, None, None, None] * np.ones((1, 4, 4, 3), "uint8")


def same(images, seed):
    return tf.cast(images, tf.float32) / 255


def noisy(images, seed):
    """A view that multiplies each image with a random factor."""
    factors = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed)
    return tf.cast(images, tf.float32) / 255 * factors


@pytest.fixture
def unlabeled():
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))


@pytest.fixture
def labeled(unlabeled):
    return data.split_labels(unlabeled, 2)[0]


def batches_of(dataset, epoch=0):
    data.set_epoch(dataset, epoch)
    return list(dataset.as_numpy_iterator())


def positions(images):
    """Returns the positions of images; all pixels of an image are its position."""
    return np.round(255 * images[:, 0, 0, 0]).astype(int).tolist()


def test_elements_have_the_documented_keys_shapes_and_dtypes(labeled, unlabeled):
    dataset = data.semi_supervised(labeled, unlabeled, 4, unlabeled_ratio=3)
    assert int(dataset.cardinality()) == 3
    for parts, labels in dataset:
        assert set(parts) == {"labeled", "weak", "strong", "index", "unlabeled_labels"}
        for name, rows in (("labeled", 4), ("weak", 12), ("strong", 12)):
            assert parts[name].shape == (rows, 4, 4, 3)
            assert parts[name].dtype == tf.float32
        for part, rows in ((parts["index"], 12), (parts["unlabeled_labels"], 12), (labels, 4)):
            assert part.shape == (rows,)
            assert part.dtype == tf.int64


def test_an_epoch_is_one_shuffled_pass_over_the_unlabeled_images(labeled, unlabeled):
    dataset = data.semi_supervised(labeled, unlabeled, 4, 2, weak=same, strong=same)
    orders = []
    for epoch in range(3):
        batches = batches_of(dataset, epoch)
        index = np.concatenate([parts["index"] for parts, _ in batches])
        for parts, _ in batches:
            assert positions(parts["weak"]) == positions(parts["strong"]) == parts["index"].tolist()
            np.testing.assert_array_equal(parts["unlabeled_labels"], LABELS[parts["index"]])
        assert sorted(index) == list(range(40))
        orders.append(index.tolist())
    assert orders[0] != orders[1] != orders[2]


def test_labeled_images_repeat_and_are_shuffled_separately(labeled, unlabeled):
    dataset = data.semi_supervised(labeled, unlabeled, 4, 2, weak=same, strong=same)
    expected = sorted(int(image[0, 0, 0]) for image, _ in labeled.as_numpy_iterator())
    batches = batches_of(dataset)
    for parts, labels in batches:
        np.testing.assert_array_equal(labels, LABELS[positions(parts["labeled"])])
    rows = [positions(parts["labeled"]) for parts, _ in batches]
    passes = [rows[0] + rows[1], rows[2] + rows[3]]
    assert sorted(passes[0]) == sorted(passes[1]) == expected
    assert passes[0] != passes[1]


def test_labeled_images_fewer_than_a_batch_repeat_within_it(labeled, unlabeled):
    dataset = data.semi_supervised(labeled.take(3), unlabeled, 8, 2, weak=same, strong=same)
    counts = np.unique(positions(batches_of(dataset)[0][0]["labeled"]), return_counts=True)[1]
    assert sorted(counts) == [2, 3, 3]


def flat(batches):
    return np.concatenate([part.ravel() for part in tf.nest.flatten(batches)])


def test_draws_of_semi_supervised_views_are_a_function_of_seed_epoch_and_position(
    labeled, unlabeled
):
    def draw(seed=0, epoch=0):
        tf.random.set_seed(np.random.randint(1000))
        dataset = data.semi_supervised(
            labeled, unlabeled, 4, 2, weak=noisy, strong=noisy, seed=seed
        )
        return batches_of(dataset, epoch)

    first = draw()
    np.testing.assert_array_equal(flat(draw()), flat(first))
    for other in (draw(seed=1), draw(epoch=1)):
        for name in ("labeled", "weak", "strong"):
            assert np.any(other[0][0][name] != first[0][0][name])
    parts = first[0][0]
    factors = [
        parts[name][:, 0, 0, 0] / np.maximum(parts["index"], 1) for name in ("weak", "strong")
    ]
    assert np.all(factors[0] != factors[1])  # the two views draw different factors


def random_gray(images, seed):
    """A view that replaces all pixels of a batch with one random number."""
    return tf.zeros_like(images, tf.float32) + tf.random.stateless_uniform((), seed)


def test_labeled_weak_and_strong_views_draw_from_different_seeds(labeled, unlabeled):
    dataset = data.semi_supervised(labeled, unlabeled, 4, 2, weak=random_gray, strong=random_gray)
    for parts, _ in batches_of(dataset):
        assert len({float(parts[name].mean()) for name in ("labeled", "weak", "strong")}) == 3


def test_labels_of_unlabeled_images_are_optional(labeled, unlabeled):
    dataset = data.semi_supervised(labeled, without_labels(unlabeled), 4, 2, weak=same, strong=same)
    parts, _ = batches_of(dataset)[0]
    assert set(parts) == {"labeled", "weak", "strong", "index"}
    dicts = unlabeled.map(lambda image, label: {"image": image, "label": label})
    dataset = data.semi_supervised(dicts, dicts, 4, 2, weak=same, strong=same)
    assert "unlabeled_labels" in dataset.element_spec[0]


@pytest.mark.slow
def test_the_default_views_are_those_of_fixmatch(labeled, unlabeled):
    dataset = data.semi_supervised(labeled, unlabeled, 4, 2, seed=3)
    explicit = data.semi_supervised(
        *(labeled, unlabeled, 4, 2),
        weak=views.fixmatch_weak(4),
        strong=views.fixmatch_strong(4),
        seed=3,
    )
    np.testing.assert_array_equal(flat(batches_of(dataset)), flat(batches_of(explicit)))


def without_labels(dataset):
    return dataset.map(lambda image, _: image)


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (
            lambda a, b: (a, b),
            {"unlabeled_ratio": 0},
            "`unlabeled_ratio` must be at least 1.*received 0",
        ),
        (lambda a, b: (a, b), {"unlabeled_ratio": 0.5}, "`unlabeled_ratio` must be .*received 0.5"),
        (lambda a, b: (a, b), {"batch_size": 0}, "`batch_size` must be at least 1, received 0"),
        (lambda a, b: (a, b), {"weak": "flip"}, "`weak` must be a view.*received 'flip'"),
        (lambda a, b: (a, b), {"batch_size": 64}, r"has 40 images and a batch takes 64 \* 7 = 448"),
        (lambda a, b: (a, b.take(0)), {}, "`unlabeled` is empty"),
        (lambda a, b: (a.take(0), b), {}, "`labeled` is empty"),
        (lambda a, b: (a, b.repeat()), {}, "`unlabeled` repeats forever"),
        (lambda a, b: (a.repeat(), b), {}, "`labeled` repeats forever"),
        (lambda a, b: (a.batch(4), b), {}, "`labeled` must hold single images.*unbatched"),
        (lambda a, b: (a, b.batch(4)), {}, "`unlabeled` must hold single images.*unbatched"),
        (lambda a, b: (without_labels(a), b), {}, "`labeled` has no labels"),
        (lambda a, b: (a.map(lambda i, y: (i, y - 1)), b), {}, "labels of 0 or more, received -1"),
        (lambda a, b: (a.map(lambda i, y: (i[:2], y)), b), {}, "must have images of one shape"),
        (lambda a, b: (a, b), {"seed": "a"}, "`seed` must be an int, received 'a'"),
        (lambda a, b: (a, b), {"strong": keras.layers.RandomFlip()}, "`strong` .*KerasLayer"),
        (
            lambda a, b: (a, b.map(lambda i, y: (tf.cast(i, tf.float32) + 9, y))),
            {},
            "`unlabeled` has float pixels from .* Divide by 255",
        ),
        (
            lambda a, b: (a.map(lambda i, y: (tf.cast(i, tf.int32), y)), b),
            {},
            "`labeled` must hold images in uint8 .* int32",
        ),
        (
            lambda a, b: (a, b.map(lambda i, y: (i, tf.one_hot(y, 4)))),
            {},
            "`unlabeled` must have one int label for each image",
        ),
        (lambda a, b: (IMAGES, b), {}, "`labeled` must be a tf.data.Dataset"),
    ],
)
def test_semi_supervised_rejects_bad_arguments(labeled, unlabeled, change, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        data.semi_supervised(*change(labeled, unlabeled), **{"batch_size": 4, **arguments})


def test_semi_supervised_counts_unlabeled_images_of_unknown_number(labeled, unlabeled):
    filtered = unlabeled.filter(lambda _, label: label < 3)
    dataset = data.semi_supervised(labeled, filtered, 4, 2, weak=same, strong=same)
    assert int(dataset.cardinality()) == 30 // 8
