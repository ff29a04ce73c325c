"""Input data of self-supervised methods: accepted kinds, epochs, and errors before training."""

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf

import keras_ssl
from keras_ssl.training.fit import sources


def noisy(images, seed):
    """Adds noise to the images. A view."""
    unit = tf.image.convert_image_dtype(images, tf.float32)
    noise = tf.random.stateless_uniform(tf.shape(unit), seed, -0.1, 0.1)
    return tf.clip_by_value(unit + noise, 0, 1)


VIEWS = (noisy, noisy)


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (20, 8, 8, 3), dtype="uint8")


@pytest.fixture
def model():
    model = checks.make("SimCLR", views=VIEWS)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return model


def dataset(*tensors, batch=4):
    return tf.data.Dataset.from_tensor_slices(tensors if len(tensors) > 1 else tensors[0]).batch(
        batch
    )


def num_steps(history):
    assert np.all(np.isfinite(history.history["loss"]))
    return int(history.model.optimizer.iterations.numpy())


def test_fit_accepts_all_kinds_of_data_and_drops_partial_batches(model, images):
    labels = np.arange(20)
    unit = images.astype("float32") / 255
    views = (unit, unit)
    kinds = {
        "array": ((images,), {"batch_size": 8}),
        "array with labels": ((images, labels), {"batch_size": 8}),
        "float array": ((unit,), {"batch_size": 8}),
        "views": ((views,), {"batch_size": 8}),
        "nested views": (((views,),), {"batch_size": 8}),
        "views with labels": ((views, labels), {"batch_size": 8}),
        "dataset": ((dataset(images, batch=8),), {}),
        "dataset with labels": ((dataset(images, labels, batch=8),), {}),
        "dicts": ((dataset({"image": images, "label": labels, "id": labels}, batch=8),), {}),
        "ready views": ((tf.data.Dataset.from_tensor_slices((views,)).batch(8),), {}),
        "ready views with labels": ((dataset(views, labels, batch=8),), {}),
        "data.make_views": (
            (
                keras_ssl.data.make_views(
                    tf.data.Dataset.from_tensor_slices(images), VIEWS, batch_size=8
                ),
            ),
            {},
        ),
    }
    for kind, (arguments, options) in kinds.items():
        before = int(model.optimizer.iterations.numpy())
        after = num_steps(model.fit(*arguments, epochs=2, verbose=0, **options))
        assert after - before == 4, kind  # two full batches of 8 from 20 images, twice


def test_fit_accepts_a_pydataset_of_ready_views(model, images):
    class ReadyViews(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            unit = images[index : index + 4].astype("float32") / 255
            return ((unit, unit),)

    assert num_steps(model.fit(ReadyViews(), verbose=0)) == 3


class Slices(keras.utils.PyDataset):
    """Batches of four rows of arrays, which share the memory of the arrays."""

    def __init__(self, element):
        super().__init__()
        self.element = element

    def __len__(self):
        return len(keras.tree.flatten(self.element)[0]) // 4

    def __getitem__(self, index):
        return keras.tree.map_structure(lambda x: x[4 * index : 4 * index + 4], self.element)


def prepared_batches(model, images):
    """Yields what Keras reads for each kind of input, and the user's arrays in it."""
    plan = sources.EpochPlan(batch_size=4, shuffle=False, steps_per_epoch=None)
    views, labels = (images, images.copy()), np.arange(len(images))
    for source in map(sources.open_source, (views, Slices((views,)))):
        yield source.prepare_training(model, plan).data, views
        yield source.prepare_evaluation(model, 4).data, views
    for x, y in ((images, labels), (Slices((images, labels)), None)):
        source = sources.open_source(x, y)
        yield source.labeled_batches(lambda *batch: batch, None, 4).data, (images, labels)
        if y is None:
            yield source.read_epochs(plan, None, lambda batch: batch, None).data, (images, labels)
    yield sources.open_source(images).prepare_prediction(model, 4), (images,)
    yield sources.open_source(Slices(images)).prepare_prediction(model, 4), (images,)


def test_batches_do_not_share_the_memory_of_the_users_arrays(model, images):
    """TensorFlow may write into the memory of a batch: two replicas once changed the images."""
    images = images.astype("float32") / 255
    for data, arrays in prepared_batches(model, images):
        batch = keras.tree.flatten(data[1])
        assert len(batch) == len(arrays)
        for found, array in zip(batch, arrays, strict=True):
            np.testing.assert_array_equal(found, array[4:8])
            assert not np.shares_memory(found, array)


def test_fit_logs_the_validation_loss_of_all_kinds_of_validation_data(model, images):
    unit = images.astype("float32") / 255
    for validation in (images[:5], (images[:5], np.arange(5)), (unit[:5], unit[:5])):
        history = model.fit(images, batch_size=8, validation_data=validation, verbose=0)
        assert np.isfinite(history.history["val_loss"][0])
    assert "val_loss" in model.fit(images, batch_size=4, validation_split=0.25, verbose=0).history


def test_validation_split_separates_the_last_images_from_the_others():
    x, y = np.arange(20)[:, None], np.arange(20)
    (train_x, train_y), (validation_x, validation_y) = sources.split_validation(x, y, 0.25)
    np.testing.assert_array_equal(train_x, x[:15])
    np.testing.assert_array_equal(train_y, y[:15])
    np.testing.assert_array_equal(validation_x, x[15:])
    np.testing.assert_array_equal(validation_y, y[15:])
    (train_x, train_y), validation_x = sources.split_validation(x, None, 0.25)
    np.testing.assert_array_equal(train_x, x[:15])
    assert train_y is None
    np.testing.assert_array_equal(validation_x, x[15:])


def test_evaluate_is_deterministic_and_weights_batches_by_size(model, images):
    views = tuple(np.asarray(noisy(images, (i, i))) for i in range(2))
    loss = model.evaluate(images, batch_size=8, verbose=0)
    assert loss == model.evaluate(dataset(images, batch=8), verbose=0)
    parts = [tuple(view[rows] for view in views) for rows in (slice(0, 12), slice(12, 20))]
    losses = [model.evaluate(part, batch_size=12, verbose=0) for part in parts]
    expected = (12 * losses[0] + 8 * losses[1]) / 20
    assert model.evaluate(views, batch_size=12, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_predict_returns_the_features_of_all_images_in_order(model, images):
    expected = np.asarray(model.encoder(images.astype("float32") / 255))
    for x in (images, images.astype("float32") / 255, dataset(images, batch=8)):
        features = model.predict(
            x, batch_size=None if isinstance(x, tf.data.Dataset) else 8, verbose=0
        )
        assert features.dtype == "float32"
        np.testing.assert_allclose(features, expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(model(images)), expected, atol=1e-5)


def test_an_endless_dataset_needs_steps_per_epoch(model, images):
    endless = dataset(images).repeat()
    assert num_steps(model.fit(endless, steps_per_epoch=3, epochs=2, verbose=0)) == 6
    with pytest.raises(ValueError, match="repeats forever: pass `steps_per_epoch`"):
        model.fit(endless, verbose=0)


def test_fit_accepts_grayscale_and_rgba_images(rng):
    for channels in (1, 4):
        encoder = checks.small_encoder(channels)
        model = keras_ssl.SimCLR(encoder, projector=(8,), views=VIEWS)
        model.compile("sgd", run_eagerly=True)
        model.fit(rng.integers(0, 256, (8, 8, 8, channels), dtype="uint8"), batch_size=4, verbose=0)


BAD_IMAGES = {
    "rank": (np.zeros((20, 8, 8), "uint8"), r"\(B, H, W, C\)"),
    "one image": (np.zeros((8, 8, 3), "uint8"), "batch"),
    "dtype": (np.zeros((20, 8, 8, 3), "int64"), "received dtype int64"),
    "channels": (np.zeros((20, 8, 8, 1), "uint8"), "channels 1 and the network takes 3"),
    "range": (
        np.full((20, 8, 8, 3), 255.0, "float32"),
        r"from 255 to 255, and floats must be in 0\.\.1",
    ),
    "NaN": (np.full((20, 8, 8, 3), np.nan, "float32"), "NaN"),
    "empty": (np.zeros((0, 8, 8, 3), "uint8"), "empty"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_fit_evaluate_and_predict_reject_invalid_images(kind, model):
    images, message = BAD_IMAGES[kind]
    for action in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=message):
            action(images, verbose=0)
    if len(images):
        with pytest.raises(ValueError, match=message):
            model.fit(dataset(images), verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 0


def test_fit_rejects_images_of_a_size_that_the_encoder_does_not_take(rng):
    images = keras.Input((16, 16, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(images))
    model = keras_ssl.SimCLR(keras.Model(images, features))
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="height 8 and the network takes 16"):
        model.fit(np.zeros((20, 8, 8, 3), "uint8"), batch_size=4, verbose=0)


def test_fit_rejects_data_that_cannot_be_contrasted(model, images):
    unit = images.astype("float32") / 255
    with pytest.raises(ValueError, match="SimCLR compares two or more views"):
        model.fit((unit,), verbose=0)
    with pytest.raises(ValueError, match="empty: the dataset has no batch"):
        model.fit(dataset(images).take(0), verbose=0)
    with pytest.raises(ValueError, match="batch of one image"):
        model.fit(images, batch_size=1, verbose=0)
    with pytest.raises(ValueError, match="batch of one image"):
        model.fit(images[:1], verbose=0)
    with pytest.raises(ValueError, match="batch of one image"):
        model.fit(dataset(images, batch=1), verbose=0)
    with pytest.raises(ValueError, match="no full batch is left"):
        model.fit(images, batch_size=32, verbose=0)
    with pytest.raises(ValueError, match="no full batch is left"):
        model.fit(dataset(images, batch=32), verbose=0)
    with pytest.raises(ValueError, match="batch the dataset"):
        model.fit(dataset(images).unbatch(), verbose=0)
    with pytest.raises(ValueError, match="dict elements without 'image'"):
        model.fit(dataset({"picture": images}), verbose=0)
    with pytest.raises(ValueError, match="two image batches side by side"):
        model.fit(dataset(unit, unit), verbose=0)
    with pytest.raises(ValueError, match=r"labels of shape \(3,\) for 20 images"):
        model.fit(images, np.arange(3), verbose=0)
    with pytest.raises(ValueError, match="different numbers of images"):
        model.fit((unit, unit[:5]), verbose=0)
    with pytest.raises(TypeError, match="received str"):
        model.fit("images", verbose=0)
    with pytest.raises(ValueError, match="plain images"):
        model.train_on_batch(images)


def test_an_invalid_later_batch_ends_fit_with_an_error(model, images):
    unit = images.astype("float32") / 255
    unit[9] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="NaN or infinite pixels"):
        model.fit(dataset(unit), verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"outside 0\.\.1"):
        model.fit(dataset(np.concatenate([unit[:8], 255 * unit[10:18]])), verbose=0)


def test_fit_rejects_a_batch_size_that_replicas_do_not_divide(images, replicas):
    with replicas.scope():
        model = checks.make("SimCLR", views=VIEWS)
        model.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="cannot be split among 2 replicas"):
        model.fit(images, batch_size=5, verbose=0)


@pytest.mark.slow
def test_an_epoch_draws_the_same_views_whether_or_not_earlier_epochs_ran(images):
    def losses(initial_epoch, x, **kwargs):
        model = checks.make("SimCLR", views=VIEWS, seed=4)
        model.compile(
            keras.optimizers.SGD(0.0)
        )  # weights stay constant, so the loss depends on the views only
        return model.fit(x, epochs=3, initial_epoch=initial_epoch, verbose=0, **kwargs).history[
            "loss"
        ]

    unbatched = tf.data.Dataset.from_tensor_slices(images)
    sources = {
        "array": (images, {"batch_size": 8}),
        "array with steps_per_epoch": (images, {"batch_size": 8, "steps_per_epoch": 3}),
        "dataset": (dataset(images), {}),
        "endless": (dataset(images).repeat(), {"steps_per_epoch": 3}),
        "data.make_views": (keras_ssl.data.make_views(unbatched, VIEWS, 8, seed=2), {}),
    }
    for kind, (x, options) in sources.items():
        uninterrupted = losses(0, x, **options)
        assert len(set(uninterrupted)) == 3, kind
        for epoch in (1, 2):
            assert losses(epoch, x, **options) == uninterrupted[epoch:], kind


@pytest.mark.parametrize("kind", ["array", "dataset"])
def test_fit_makes_no_views_beyond_the_last_epoch(kind, images):
    calls = []

    def counting_view(images, seed):
        tf.numpy_function(lambda: calls.append(1), [], [])
        return noisy(images, seed)

    def count_views(epochs):
        calls.clear()
        model = checks.make("SimCLR", views=(counting_view, noisy))
        model.compile("sgd", run_eagerly=True)
        x, batch_size = (images, 4) if kind == "array" else (dataset(images), None)
        model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0)
        return len(calls)

    assert count_views(3) - count_views(1) == 2 * 5


@pytest.mark.parametrize("kind", ["array", "dataset", "data.make_views"])
def test_steps_per_execution_does_not_run_past_the_end_of_an_epoch(kind, images):
    model = checks.make("SimCLR", views=VIEWS)
    model.compile("sgd", steps_per_execution=2)
    unbatched = tf.data.Dataset.from_tensor_slices(images)
    x = {
        "array": images,
        "dataset": dataset(images),
        "data.make_views": keras_ssl.data.make_views(unbatched, VIEWS, 4),
    }[kind]
    batch_size = 4 if kind == "array" else None
    assert num_steps(model.fit(x, batch_size=batch_size, epochs=3, verbose=0)) == 3 * 5


def test_views_do_not_depend_on_the_global_seed(images):
    def first_view(seed):
        keras.utils.set_random_seed(seed)
        x = keras_ssl.data.make_views(tf.data.Dataset.from_tensor_slices(images), VIEWS, 8, seed=2)
        return next(iter(x))[0][0].numpy()

    np.testing.assert_array_equal(first_view(0), first_view(1))
