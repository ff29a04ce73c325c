import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_ssl
from keras_ssl import data
from keras_ssl.data import pipeline


def darken(images, seed):
    """A view that multiplies each image with a random factor."""
    factors = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed)
    return tf.cast(images, tf.float32) / 255 * factors


def same(images, seed):
    return tf.cast(images, tf.float32) / 255


@pytest.fixture
def numbered():
    """22 images; all pixels and the label of image i are i."""
    images = np.arange(22, dtype="uint8")[:, None, None, None] * np.ones((1, 4, 4, 3), "uint8")
    return tf.data.Dataset.from_tensor_slices((images, np.arange(22)))


def epochs_of(dataset, count):
    """Returns a list of the batches `(views, labels)` of each of the first `count` epochs."""
    epochs = []
    for epoch in range(count):
        data.set_epoch(dataset, epoch)
        epochs.append(list(dataset.as_numpy_iterator()))
    return epochs


def labels_of(epoch):
    return np.concatenate([labels for _, labels in epoch]).tolist()


def test_each_epoch_yields_each_image_once_in_a_new_order(numbered):
    epochs = epochs_of(data.make_views(numbered, (same, same), batch_size=11), 3)
    orders = [labels_of(epoch) for epoch in epochs]
    assert all(sorted(order) == list(range(22)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert orders[0] != sorted(orders[0])


def test_views_and_labels_of_a_batch_belong_to_the_same_images(numbered):
    for views, labels in data.make_views(numbered, (same, same), 5).as_numpy_iterator():
        for view in views:
            np.testing.assert_allclose(255 * view[:, 0, 0, 0], labels, rtol=1e-5)


def test_images_keep_their_order_without_shuffle_and_the_partial_batch_is_dropped(numbered):
    dataset = data.make_views(numbered, (same, darken), 5, shuffle=False)
    assert dataset.cardinality() == 4
    assert labels_of(dataset.as_numpy_iterator()) == list(range(20))


def test_draws_of_views_are_a_function_of_seed_epoch_and_position(numbered):
    def draw(seed):
        return epochs_of(data.make_views(numbered, (darken, darken), 11, seed=seed), 2)

    first, again, other = draw(3), draw(3), draw(4)
    for epoch, same_epoch in zip(first, again, strict=True):
        for (views, labels), (same_views, same_labels) in zip(epoch, same_epoch, strict=True):
            np.testing.assert_array_equal(views, same_views)
            np.testing.assert_array_equal(labels, same_labels)
    assert labels_of(first[0]) != labels_of(other[0])
    factors = {
        float(x)
        for epoch in first
        for (views, labels) in epoch
        for view in views
        for x in (255 * view[:, 0, 0, 0] / np.maximum(labels, 1))[labels > 0]
    }
    assert len(factors) > 80  # two epochs, two views and 21 images draw different factors


def test_training_and_evaluation_draw_different_views(numbered):
    batches = numbered.batch(11)
    training = pipeline.from_batches(batches, (darken,), seed=3)
    evaluation = pipeline.for_evaluation(batches, (darken,), seed=3)
    pairs = zip(training.as_numpy_iterator(), evaluation.as_numpy_iterator(), strict=True)
    for (training_views, labels), (evaluation_views, same_labels) in pairs:
        np.testing.assert_array_equal(labels, same_labels)
        is_equal = training_views[0] == evaluation_views[0]
        assert not np.any(is_equal[labels > 0])


def test_an_epoch_does_not_depend_on_earlier_epochs(numbered):
    dataset = data.make_views(numbered, (darken, darken), 11, seed=1)
    expected = epochs_of(dataset, 3)[2]
    data.set_epoch(dataset, 2)
    for (views, labels), (same_views, same_labels) in zip(
        dataset.as_numpy_iterator(), expected, strict=True
    ):
        np.testing.assert_array_equal(views, same_views)
        np.testing.assert_array_equal(labels, same_labels)


def test_datasets_made_from_views_keep_the_epoch(numbered):
    dataset = data.make_views(numbered, (same, same), 11).map(lambda views, labels: (views, labels))
    first, second = epochs_of(dataset.prefetch(2), 2)
    assert labels_of(first) != labels_of(second)


def test_fit_draws_the_same_batches_as_a_custom_loop(numbered):
    dataset = data.make_views(numbered, (darken, darken), 11)
    expected = [labels_of(epoch) for epoch in epochs_of(dataset, 2)]
    seen = []

    class Recorder(keras_ssl.SelfSupervisedModel):
        def compute_losses(self, batch, training):
            tf.py_function(lambda x: seen.append(x.numpy().tolist()), [batch.labels], [])
            return {"loss": tf.reduce_sum(self.features(batch.views[0], training))}

    images = keras.Input((4, 4, 3))
    features = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(images))
    model = Recorder(keras.Model(images, features))
    model.compile("sgd", run_eagerly=True)
    model.fit(dataset, epochs=2, verbose=0)
    numbers = [number for batch in seen for number in batch]
    assert numbers[-44:] == expected[0] + expected[1]


def test_make_views_accepts_dicts_and_images_without_labels(numbered):
    dicts = numbered.map(lambda image, label: {"image": image, "id": label})
    (views,) = next(data.make_views(dicts, (same, same), 4).as_numpy_iterator())
    assert views[0].shape == (4, 4, 4, 3)
    unlabeled = numbered.map(lambda image, label: image)
    assert len(next(data.make_views(unlabeled, (same, same), 4).as_numpy_iterator())) == 1


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda x: x, {"views": [keras.layers.RandomFlip()]}, "Keras layer. Wrap it"),
        (lambda x: x.batch(4), {}, "Pass it unbatched"),
        (lambda x: x.take(0), {}, "`dataset` is empty"),
        (lambda x: x.take(3), {}, "3 images and a batch takes 4"),
        (lambda x: x, {"batch_size": 0}, "`batch_size` must be at least 1, received 0"),
        (lambda x: x, {"batch_size": 2.5}, "`batch_size` must be an int, received 2.5"),
        (lambda x: x, {"views": ()}, "`views` must be a sequence of views"),
        (lambda x: x, {"views": same}, "`views` must be a sequence of views"),
        (lambda x: x.map(lambda i, label: {"picture": i}), {}, r"keys are \['picture'\]"),
    ],
)
def test_make_views_rejects_bad_arguments(numbered, change, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        data.make_views(change(numbered), **{"views": (same, same), "batch_size": 4, **arguments})


def test_set_epoch_rejects_a_dataset_without_an_epoch(numbered):
    with pytest.raises(ValueError, match="`dataset` has no epoch"):
        data.set_epoch(numbered, 1)
