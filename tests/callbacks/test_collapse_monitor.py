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
    """Views attract and nothing repels, so features collapse."""

    def __init__(self, encoder, *, projector=None, **kwargs):
        super().__init__(encoder, **kwargs)
        self.projector = (
            layers.projection_head(projector, self.feature_width) if projector else None
        )

    def compute_losses(self, batch, training):
        encode = self.project if self.projector else self.features
        first, second = (encode(view, training) for view in batch.views)
        # ops.normalize has no gradient for a black image on JAX.
        lengths = [ops.sqrt(ops.sum(ops.square(z), -1) + 1e-12) for z in (first, second)]
        return {"loss": -ops.mean(ops.sum(first * second, -1) / lengths[0] / lengths[1])}


def new_model(method, learning_rate, **kwargs):
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


def collapsed_model():
    """A model that returns the same features for all images, and does not learn."""
    model = small_model()
    for weight in model.encoder.weights:
        if "kernel" in weight.path or "gamma" in weight.path:
            weight.assign(np.zeros(weight.shape))
        if "beta" in weight.path:
            weight.assign(np.ones(weight.shape))
    return model


def small_model(learning_rate=0.0):
    model = keras_ssl.SimCLR(checks.small_encoder(channels=1), projector=(8,))
    model.compile(keras.optimizers.SGD(learning_rate), run_eagerly=True)
    return model


def fit(model, x, monitor, **kwargs):
    settings = {"epochs": 2, "verbose": 0, **kwargs}
    return model.fit(x, callbacks=[monitor], **settings).history


@pytest.mark.slow
def test_collapse_monitor_does_not_warn_in_a_healthy_run(digits):
    train, test = digits
    model = new_model(keras_ssl.SimCLR, 0.06, projector=(64, 64))
    history = fit(model, train, CollapseMonitor(test), epochs=2)  # a warning would be an error
    even_std = 1 / np.sqrt(128)
    assert min(history["feature_std"]) > 0.3 * even_std
    assert min(history["effective_rank"]) > 20
    assert min(history["projection_std"]) > 0.3 / 8


def test_collapse_monitor_logs_the_metrics_of_the_first_images(digits, noise):
    _, test = digits
    model = small_model(0.01)
    history = fit(model, noise, CollapseMonitor(test, limit=50), epochs=1, batch_size=8)
    images = np.stack([image for image, _ in test.take(50).as_numpy_iterator()])
    features = model.predict(images, verbose=0)
    assert history["feature_std"] == [pytest.approx(feature_std(features), rel=1e-4)]
    assert history["effective_rank"] == [pytest.approx(rankme(features), rel=1e-4)]
    projections = ops.convert_to_numpy(model.projector(ops.convert_to_tensor(features)))
    assert history["projection_std"] == [pytest.approx(feature_std(projections), rel=1e-4)]


def test_collapse_monitor_warns_of_collapsed_features(digits):
    train, test = digits
    model = Attraction(checks.small_encoder(1, width=32, batch_norm=False))
    model.compile(keras.optimizers.SGD(1.0, momentum=0.9))
    with pytest.warns(UserWarning, match="features collapse to a point") as caught:
        fit(model, train, CollapseMonitor(test), epochs=2)
    assert len(caught) == 1
    assert "lower the learning rate" in str(caught[0].message)


@pytest.mark.slow
def test_collapse_monitor_warns_of_collapsed_projections(digits):
    """Only the projections collapse; the features of this encoder stay spread."""
    train, test = digits
    model = new_model(Attraction, 0.1, projector=(64, 64))
    with pytest.warns(UserWarning, match="projections collapse to a point") as caught:
        history = fit(model, train, CollapseMonitor(test), epochs=4)
    assert len(caught) == 1
    assert min(history["feature_std"]) > 0.3 / np.sqrt(128)


def test_collapse_monitor_warns_once_in_a_fit(rng, noise):
    monitor = CollapseMonitor(rng.random((20, 8, 8, 1), "float32"))
    model = collapsed_model()
    for _ in range(2):
        with pytest.warns(UserWarning, match="CollapseMonitor, epoch 1: features coll") as caught:
            history = fit(model, noise, monitor, epochs=3, batch_size=8)
        assert len(caught) == 1
        assert max(history["feature_std"]) < 1e-6
        np.testing.assert_allclose(history["effective_rank"], 1, atol=1e-3)


class FixedFeatures(keras.layers.Layer):
    """Returns given features."""

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
def test_collapse_monitor_warns_if_the_rank_falls(rng, rank, message):
    """Features have full rank in the first epoch, and the given rank after the second."""
    images = np.zeros((60, 2, 2, 1), "float32")
    images[:, 0, 0, 0] = (np.arange(60) + 0.5) / 100
    full, _ = np.linalg.qr(rng.normal(size=(60, 50)))
    x = keras.Input((2, 2, 1))
    layer = FixedFeatures(full)
    model = keras.Model(x, layer(x))
    model.compile("sgd", loss="mse")

    def reduce_rank(epoch, logs):
        if epoch == 1:
            layer.values.assign(full * (np.arange(50) < rank) * 3)

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=reduce_rank), CollapseMonitor(images)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(
            images, np.zeros((60, 50)), epochs=3, callbacks=callbacks, verbose=0
        ).history
    messages = [str(warning.message) for warning in caught]
    messages = [text for text in messages if "CollapseMonitor" in text]
    assert history["effective_rank"][1:] == [pytest.approx(rank, rel=0.01)] * 2
    assert "projection_std" not in history
    assert len(messages) == (message is not None)
    if message:
        assert messages[0].startswith("CollapseMonitor, epoch 2: ")
        assert re.search(message, messages[0])


def test_collapse_monitor_warns_of_diverged_weights(rng):
    model, logs = small_model(), {}
    monitor = CollapseMonitor(rng.random((20, 8, 8, 1), "float32"))
    model.encoder.set_weights([w * np.nan for w in model.encoder.get_weights()])
    monitor.set_model(model)
    monitor.set_params({"epochs": 1})
    monitor.on_train_begin()
    with pytest.warns(UserWarning, match="not finite"):
        monitor.on_epoch_end(0, logs)
    assert np.isnan(logs["effective_rank"])


def test_collapse_monitor_logs_nan_for_skipped_epochs(rng, noise):
    model = small_model()
    monitor = CollapseMonitor(rng.random((20, 8, 8, 1), "float32"), every=2)
    history = fit(model, noise, monitor, epochs=5, batch_size=8)
    for name in ("feature_std", "effective_rank", "projection_std"):
        assert list(np.isfinite(history[name])) == [False, True, False, True, True]


@pytest.mark.slow
def test_collapse_monitor_supports_replicas(rng, noise, replicas):
    with replicas.scope():
        model = small_model(0.01)
    images = rng.random((20, 8, 8, 1), "float32")
    history = fit(model, noise, CollapseMonitor(images), epochs=1, batch_size=8)
    assert history["feature_std"] == [
        pytest.approx(feature_std(model.predict(images, verbose=0)), rel=1e-4)
    ]


def test_collapse_monitor_rejects_bad_arguments():
    images = np.zeros((4, 8, 8, 1), "uint8")
    with pytest.raises(ValueError, match="`every`"):
        CollapseMonitor(images, every=0)
    with pytest.raises(ValueError, match="`limit`"):
        CollapseMonitor(images, limit=1)
    with pytest.raises(ValueError, match="at least two images"):
        CollapseMonitor(images[:1])
