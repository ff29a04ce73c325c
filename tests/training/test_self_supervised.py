"""The base class of self-supervised methods: state, schedules, logs, saving, errors."""

import keras
import method_checks as checks
import numpy as np
import pytest
from keras import layers, ops
from processes import run_python

import keras_ssl


@keras.saving.register_keras_serializable("tests")
class Stateful(keras_ssl.SelfSupervisedModel):
    """Has a momentum encoder, a queue, a schedule and two logged terms."""

    def __init__(self, encoder, *, momentum=0.9, queue_size=8, **kwargs):
        super().__init__(encoder, **kwargs)
        self.momentum = momentum
        self.queue_size = queue_size
        self.momentum_encoder = keras.models.clone_model(encoder)
        self.momentum_encoder.set_weights(encoder.get_weights())
        self.momentum_encoder.trainable = False
        self.queue = self.add_weight(
            (queue_size, self.feature_width), "zeros", trainable=False, name="queue"
        )
        self.steps = self.add_weight((), "zeros", trainable=False, name="steps")

    def compute_losses(self, batch, training):
        online = keras_ssl.distribute.all_gather(self.features(batch.views[0], training))
        target = ops.stop_gradient(
            keras_ssl.distribute.all_gather(self.momentum_encoder(batch.views[-1], training=False))
        )
        rows = ops.shape(target)[0]
        distance = ops.sum(ops.square(online - target)) / ops.cast(rows, online.dtype)
        spread = ops.sum(ops.square(online - ops.cast(self.queue[0], online.dtype)))
        if training:
            newest = ops.concatenate([ops.cast(target, self.queue.dtype), self.queue])
            self.queue.assign(newest[: self.queue_size])
        return {"loss": distance + 0.01 * spread, "distance": distance, "spread": spread}

    def on_step_end(self):
        momentum = self.current_value(self.momentum)
        pairs = zip(self.momentum_encoder.weights, self.encoder.weights, strict=True)
        for average, weight in pairs:
            average.assign(momentum * average + (1 - momentum) * weight)
        self.steps.assign(self.steps + 1)


def make(**kwargs):
    return Stateful(checks.small_encoder(), **kwargs)


def fit(model, epochs=2, optimizer=None, **kwargs):
    if not model.compiled:
        model.compile(optimizer or keras.optimizers.SGD(0.05, momentum=0.9))
    return model.fit(
        checks.two_views(), batch_size=8, epochs=epochs, shuffle=False, verbose=0, **kwargs
    )


def test_state_is_updated_once_per_step_after_the_weights():
    model = make(momentum=0.0)
    fit(model, epochs=1)
    assert int(model.steps.numpy()) == 4
    pairs = zip(model.momentum_encoder.get_weights(), model.encoder.get_weights(), strict=True)
    for average, weight in pairs:
        np.testing.assert_array_equal(average, weight)
    assert np.all(np.any(model.queue.numpy() != 0, axis=1))


def test_all_terms_are_logged_and_a_loaded_model_resumes_with_equal_state(tmp_path):
    model = make(momentum=keras.optimizers.schedules.CosineDecay(0.9, 20))
    history = fit(model).history
    assert set(history) == {"loss", "distance", "spread"}
    expected = np.array(history["distance"]) + 0.01 * np.array(history["spread"])
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)

    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.momentum.initial_learning_rate == 0.9
    assert len(loaded.trainable_weights) == len(model.trainable_weights)
    assert fit(loaded).history == fit(model).history
    for weight, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_schedule_is_evaluated_at_the_optimizer_step():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.0, 1.0])
    model = make(momentum=schedule)  # copies the weights for three steps, then stays constant
    fit(model, epochs=1)
    assert model.current_value(0.5) == 0.5
    pairs = zip(model.momentum_encoder.get_weights(), model.encoder.get_weights(), strict=True)
    assert any(np.abs(average - weight).max() > 0 for average, weight in pairs)


def test_gradient_accumulation_updates_state_once_per_optimizer_step():
    model = make()
    fit(model, epochs=1, optimizer=keras.optimizers.SGD(0.05, gradient_accumulation_steps=2))
    assert int(model.steps.numpy()) == 2


def test_state_on_replicas_equals_state_on_one_device(float64, replicas):
    single = make()
    single.set_weights(random_weights(single))
    with replicas.scope():
        model = make()
        model.set_weights(random_weights(single))
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    expected = fit(single).history
    history = fit(model).history
    for term in expected:
        np.testing.assert_allclose(history[term], expected[term], atol=1e-8)
    for weight, expected in zip(model.get_weights(), single.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-8)


def random_weights(model):
    rng = np.random.default_rng(2)
    return [w if w.ndim < 2 else rng.normal(0, 0.3, w.shape) for w in model.get_weights()]


@pytest.mark.parametrize("option", ["run_eagerly", "steps_per_execution"])
def test_trained_weights_do_not_depend_on_options_of_compile(option):
    def train(**kwargs):
        model = checks.make("SimCLR")
        model.compile(keras.optimizers.SGD(0.1), **kwargs)
        checks.train(model, checks.two_views())
        return model.get_weights()

    value = 2 if option == "steps_per_execution" else True
    for weight, expected in zip(train(**{option: value}), train(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-4)


@pytest.mark.slow
def test_a_run_resumed_in_a_new_process_equals_the_uninterrupted_run(tmp_path, graph_optimizer):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype="uint8")

    def train(epochs):
        model = checks.make("SimCLR", seed=3)
        schedule = keras.optimizers.schedules.CosineDecay(0.1, 20)
        model.compile(keras.optimizers.SGD(schedule, momentum=0.9))
        model.fit(images, batch_size=8, epochs=epochs, verbose=0)
        return model

    train(2).save(tmp_path / "half.keras")
    script = (
        "import keras, keras_ssl, numpy as np\n"
        "model = keras.saving.load_model('half.keras')\n"
        "images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype='uint8')\n"
        "model.fit(images, batch_size=8, initial_epoch=2, epochs=4, verbose=0)\n"
        "model.save('resumed.keras')\n"
    )
    run_python(script, cwd=tmp_path)
    resumed, uninterrupted = keras.saving.load_model(tmp_path / "resumed.keras"), train(4)
    weights = zip(resumed.get_weights(), uninterrupted.get_weights(), strict=True)
    for weight, expected in weights:
        np.testing.assert_array_equal(weight, expected)
    optimizers = resumed.optimizer.variables, uninterrupted.optimizer.variables
    for variable, expected in zip(*optimizers, strict=True):
        np.testing.assert_array_equal(variable, expected)


def test_views_given_by_the_user_are_saved_with_the_model(tmp_path):
    views = keras_ssl.views.simclr(8)
    model = checks.make("SimCLR", views=views)
    model.save(tmp_path / "m.keras")
    assert keras.saving.load_model(tmp_path / "m.keras").views == views


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.dense = layers.Dense(width)

    def call(self, images):
        return self.dense(ops.mean(images, axis=(1, 2)))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


class WithoutConfig(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.dense = layers.Dense(width)

    def call(self, images):
        return self.dense(ops.mean(images, axis=(1, 2)))


def test_a_subclassed_encoder_trains_saves_and_exports(tmp_path, rng):
    encoder = Subclassed()
    encoder(np.zeros((1, 8, 8, 3), "float32"))
    model = keras_ssl.SimCLR(encoder, projector=(8,))
    model.compile("sgd")
    views = checks.two_views(16)
    model.fit(views, batch_size=8, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(
        loaded.predict(views[0], verbose=0), model.predict(views[0], verbose=0)
    )
    model.export_encoder(tmp_path / "encoder")


def test_simclr_rejects_invalid_encoders():
    images = keras.Input((8, 8, 3))
    without_pooling = keras.Model(images, layers.Conv2D(4, 3)(images))
    with pytest.raises(ValueError, match=r"`encoder` must return features of shape \(B, D\)"):
        keras_ssl.SimCLR(without_pooling)
    with pytest.raises(ValueError, match="is not built"):
        keras_ssl.SimCLR(Subclassed())
    without_config = WithoutConfig(4)
    without_config(np.zeros((1, 8, 8, 3), "float32"))
    with pytest.raises(ValueError, match="get_config"):
        keras_ssl.SimCLR(without_config)
    with pytest.raises(TypeError, match=r"`encoder` must be a keras\.Model"):
        keras_ssl.SimCLR("resnet")
    vectors = keras.Input((8,))
    with pytest.raises(ValueError, match="must take one batch of images"):
        keras_ssl.SimCLR(keras.Model(vectors, layers.Dense(4)(vectors)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"temperature": 0}, ValueError, "`temperature`"),
        ({"temperature": -1.0}, ValueError, "`temperature`"),
        ({"projector": ()}, ValueError, "`projector`"),
        ({"projector": (8, 0)}, ValueError, "`projector`"),
        ({"projector": "big"}, TypeError, "`projector`"),
        ({"views": 3}, TypeError, "`views`"),
        ({"views": [checks.two_views]}, ValueError, "`views` must have a length of at least 2"),
        ({"seed": "a"}, TypeError, "`seed`"),
        ({"temprature": 1}, TypeError, "temprature"),
    ],
)
def test_simclr_rejects_invalid_arguments(arguments, error, message):
    with pytest.raises((error, ValueError), match=message):
        keras_ssl.SimCLR(checks.small_encoder(), **arguments)


def test_compile_rejects_loss_and_metrics_and_fit_needs_compile():
    model = checks.make("SimCLR")
    with pytest.raises(ValueError, match=r"`loss` is not supported by SimCLR\.compile"):
        model.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match=r"`metrics` is not supported by SimCLR\.compile"):
        model.compile("sgd", metrics=["accuracy"])
    with pytest.raises(ValueError, match=r"Call `compile\(\)` before `fit\(\)`"):
        model.fit(checks.two_views())


def test_replicas_reject_xla_and_an_optimizer_from_outside_the_scope(replicas):
    optimizer = keras.optimizers.SGD(0.1)
    with replicas.scope():
        model = checks.make("SimCLR")
        with pytest.raises(ValueError, match="`jit_compile=True`"):
            model.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match="outside the scope"):
        model.compile(optimizer)


@pytest.mark.slow
def test_creating_a_model_on_the_torch_backend_raises():
    script = (
        "import keras.backend as b; b.backend = lambda: 'torch'\n"
        "import method_checks as checks\n"
        "try:\n    checks.make('SimCLR')\n"
        "except ValueError as error:\n    print(error)\n"
    )
    printed = run_python(script)
    assert "KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax" in printed
