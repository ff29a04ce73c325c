import re
import warnings

import keras
import method_checks as checks
import numpy as np
import pytest
from keras import ops

import keras_ssl
from keras_ssl import data, encoders, layers, views
from keras_ssl.callbacks import CollapseMonitor
from keras_ssl.evaluation import feature_std, rankme


class Attraction(keras_ssl.SelfSupervisedModel):
    """Views attract and nothing repels: the textbook case of collapse."""

    def __init__(self, encoder, *, projector=None, **kwargs):
        super().__init__(encoder, **kwargs)
        self.projector = (
            layers.projection_head(projector, self.feature_width) if projector else None
        )

    def compute_losses(self, batch, training):
        make = self.project if self.projector else self.features
        first, second = (make(view, training) for view in batch.views)
        # Not ops.normalize: of a black image it has no gradient on JAX.
        lengths = [ops.sqrt(ops.sum(ops.square(z), -1) + 1e-12) for z in (first, second)]
        return {"loss": -ops.mean(ops.sum(first * second, -1) / lengths[0] / lengths[1])}


def model_of(method, learning_rate, **kwargs):
    encoder = encoders.small_resnet((8, 8, 1))
    model = method(encoder, **kwargs)
    model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9))
    return model


@pytest.fixture
def digits():
    train, test = data.load_train_and_test("digits")
    return data.make_views(train, views.simclr((8, 8), flip=False), 128), test


@pytest.fixture
def noise(rng):
    return rng.random((16, 8, 8, 1), "float32"), rng.random((16, 8, 8, 1), "float32")


def collapsed():
    """A model that gives all images one feature vector, and does not learn."""
    model = small_model()
    for weight in model.encoder.weights:
        if "kernel" in weight.path or "gamma" in weight.path:
            weight.assign(np.zeros(weight.shape))
        if "beta" in weight.path:
            weight.assign(np.ones(weight.shape))
    return model


def small_model(learning_rate=0.0):
    model = keras_ssl.SimCLR(checks.small_encoder(channels=1), projector=(8,))
    model.compile(keras.optimizers.SGD(learning_rate))
    return model


def fit(model, x, monitor, **kwargs):
    settings = {"epochs": 2, "verbose": 0, **kwargs}
    return model.fit(x, callbacks=[monitor], **settings).history


def test_a_healthy_run_is_not_warned_of(digits):
    train, test = digits
    model = model_of(keras_ssl.SimCLR, 0.06, projector=(64, 64))
    history = fit(model, train, CollapseMonitor(test), epochs=2)  # a warning would be an error
    even = 1 / np.sqrt(128)
    assert min(history["feature_std"]) > 0.3 * even
    assert min(history["effective_rank"]) > 20
    assert min(history["projection_std"]) > 0.3 / 8


def test_logs_what_the_measures_say_of_the_first_images(digits, noise):
    _, test = digits
    model = small_model(0.01)
    history = fit(model, noise, CollapseMonitor(test, limit=50), epochs=1, batch_size=8)
    images = np.stack([image for image, _ in test.take(50).as_numpy_iterator()])
    features = model.predict(images, verbose=0)
    assert history["feature_std"] == [pytest.approx(feature_std(features), rel=1e-4)]
    assert history["effective_rank"] == [pytest.approx(rankme(features), rel=1e-4)]
    projections = ops.convert_to_numpy(model.projector(ops.convert_to_tensor(features)))
    assert history["projection_std"] == [pytest.approx(feature_std(projections), rel=1e-4)]


def test_features_that_only_attract_are_warned_of(digits):
    train, test = digits
    model = Attraction(checks.small_encoder(1, width=32, batch_norm=False))
    model.compile(keras.optimizers.SGD(1.0, momentum=0.9))
    with pytest.warns(UserWarning, match="features collapse to a point") as caught:
        fit(model, train, CollapseMonitor(test), epochs=2)
    assert len(caught) == 1
    assert "learning rate that is too high" in str(caught[0].message)


def test_projections_that_only_attract_are_warned_of(digits):
    """The features of this encoder stay spread: only its projections tell."""
    train, test = digits
    model = model_of(Attraction, 0.1, projector=(64, 64))
    with pytest.warns(UserWarning, match="projections collapse to a point") as caught:
        history = fit(model, train, CollapseMonitor(test), epochs=4)
    assert len(caught) == 1
    assert min(history["feature_std"]) > 0.3 / np.sqrt(128)


def test_one_feature_vector_for_all_is_warned_of_once_in_a_fit(rng, noise):
    monitor = CollapseMonitor(rng.random((20, 8, 8, 1), "float32"))
    model = collapsed()
    for _ in range(2):
        with pytest.warns(UserWarning, match="CollapseMonitor, epoch 1: features coll") as caught:
            history = fit(model, noise, monitor, epochs=3, batch_size=8)
        assert len(caught) == 1
        assert max(history["feature_std"]) < 1e-6
        np.testing.assert_allclose(history["effective_rank"], 1, atol=1e-3)


class Fixed(keras.layers.Layer):
    """Gives the features it was told to."""

    def __init__(self, values):
        super().__init__()
        self.values = self.add_weight(shape=values.shape, trainable=False)
        self.values.assign(values)

    def call(self, images):
        return ops.take(self.values, ops.cast(images[:, 0, 0, 0] * 100, "int32"), axis=0)


@pytest.mark.parametrize(
    ("rank", "message"),
    [(1, "collapse to a line"), (2, "from (49|50).* to 2"), (3, None), (50, None)],
)
def test_a_rank_that_falls_is_warned_of(rng, rank, message):
    """Features of full rank before the first epoch and of a given one after the second."""
    images = np.zeros((60, 2, 2, 1), "float32")
    images[:, 0, 0, 0] = (np.arange(60) + 0.5) / 100
    full, _ = np.linalg.qr(rng.normal(size=(60, 50)))
    x = keras.Input((2, 2, 1))
    layer = Fixed(full)
    model = keras.Model(x, layer(x))
    model.compile("sgd", loss="mse")

    def fall(epoch, logs):
        if epoch == 1:
            layer.values.assign(full * (np.arange(50) < rank) * 3)

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=fall), CollapseMonitor(images)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(
            images, np.zeros((60, 50)), epochs=3, callbacks=callbacks, verbose=0
        ).history
    ours = [str(each.message) for each in caught if "CollapseMonitor" in str(each.message)]
    assert history["effective_rank"][1:] == [pytest.approx(rank, rel=0.01)] * 2
    assert "projection_std" not in history
    assert len(ours) == (message is not None)
    if message:
        assert ours[0].startswith("CollapseMonitor, epoch 2: ")
        assert re.search(message, ours[0])


def test_weights_that_diverge_are_warned_of(rng):
    model, logs = small_model(), {}
    monitor = CollapseMonitor(rng.random((20, 8, 8, 1), "float32"))
    model.encoder.set_weights([w * np.nan for w in model.encoder.get_weights()])
    monitor.set_model(model)
    monitor.set_params({"epochs": 1})
    monitor.on_train_begin()
    with pytest.warns(UserWarning, match="not finite"):
        monitor.on_epoch_end(0, logs)
    assert np.isnan(logs["effective_rank"])


def test_skipped_epochs_are_nan(rng, noise):
    model = small_model()
    monitor = CollapseMonitor(rng.random((20, 8, 8, 1), "float32"), every=2)
    history = fit(model, noise, monitor, epochs=5, batch_size=8)
    for name in ("feature_std", "effective_rank", "projection_std"):
        assert list(np.isfinite(history[name])) == [False, True, False, True, True]


def test_replicas_are_measured_too(rng, noise, replicas):
    with replicas.scope():
        model = small_model(0.01)
    images = rng.random((20, 8, 8, 1), "float32")
    history = fit(model, noise, CollapseMonitor(images), epochs=1, batch_size=8)
    assert history["feature_std"] == [
        pytest.approx(feature_std(model.predict(images, verbose=0)), rel=1e-4)
    ]


def test_names_a_bad_argument():
    images = np.zeros((4, 8, 8, 1), "uint8")
    with pytest.raises(ValueError, match="`every`"):
        CollapseMonitor(images, every=0)
    with pytest.raises(ValueError, match="`limit`"):
        CollapseMonitor(images, limit=1)
    with pytest.raises(ValueError, match="two images or more"):
        CollapseMonitor(images[:1])
