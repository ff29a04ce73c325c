import keras
import method_checks as checks
import numpy as np
import pytest
from keras import layers

import keras_ssl
from keras_ssl.optimizers import LARS

RATES = [0.5, 0.25, 1.0, 0.125]
SETTINGS = {"momentum": 0.875, "weight_decay": 0.25, "trust_coefficient": 0.5}


class Steps(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate `RATES[step]`."""

    def __call__(self, step):
        return keras.ops.take(
            keras.ops.convert_to_tensor(RATES, dtype=keras.config.floatx()),
            keras.ops.cast(step, "int32"),
        )


def reference_lars(
    weights, gradients, nesterov=False, momentum=0.875, decay=0.25, trust_coefficient=0.5
):
    """Algorithm 1 of You et al. 2017 in NumPy. Vectors are biases."""
    weights = [w.astype("float64") for w in weights]
    velocities = [np.zeros_like(w) for w in weights]
    for rate, step_gradients in zip(RATES, gradients, strict=True):
        for i, g in enumerate(step_gradients):
            w, local_rate, d = weights[i], 1.0, 0.0
            if w.ndim > 1:
                d = decay
                norm_w, norm_g = np.sqrt((w**2).sum()), np.sqrt((g**2).sum())
                if norm_w > 0 and norm_g > 0:
                    local_rate = trust_coefficient * norm_w / (norm_g + d * norm_w)
            step = rate * local_rate * (g + d * w)
            velocities[i] = momentum * velocities[i] + step
            weights[i] = w - (momentum * velocities[i] + step if nesterov else velocities[i])
    return weights


def variables_and_gradients(rng, shapes=((3, 4), (2, 2, 3, 5), (4,), ())):
    values = [rng.normal(size=shape) for shape in shapes]
    gradients = [[rng.normal(size=shape) for shape in shapes] for _ in RATES]
    return values, gradients


def run(optimizer, values, gradients):
    variables = [keras.Variable(value, dtype=keras.config.floatx()) for value in values]
    for step_gradients in gradients:
        tensors = [keras.ops.convert_to_tensor(g, variables[0].dtype) for g in step_gradients]
        optimizer.apply(tensors, variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("nesterov", [False, True])
def test_lars_follows_the_paper_while_the_learning_rate_changes(float64, rng, nesterov):
    values, gradients = variables_and_gradients(rng)
    results = run(LARS(Steps(), nesterov=nesterov, **SETTINGS), values, gradients)
    for value, expected in zip(results, reference_lars(values, gradients, nesterov), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_lars_trust_ratio_is_1_if_weights_or_gradient_are_zero(float64, rng):
    values, gradients = variables_and_gradients(rng, [(3, 4), (3, 4)])
    values[0] *= 0
    for step_gradients in gradients:
        step_gradients[1] *= 0
    results = run(LARS(Steps(), **SETTINGS), values, gradients)
    for value, expected in zip(results, reference_lars(values, gradients), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12)
    # Without decay, weights that have a zero gradient do not change.
    unchanged = run(LARS(0.5), values[1:], [g[1:] for g in gradients])
    np.testing.assert_array_equal(unchanged[0], values[1])


def test_lars_keeps_the_trust_ratio_of_variables_excluded_from_decay(float64, rng):
    values, gradients = variables_and_gradients(rng, [(3, 4)])
    variable = keras.Variable(values[0], name="prototypes", dtype="float64")
    optimizer = LARS(Steps(), **SETTINGS)
    optimizer.exclude_from_weight_decay(var_names=["prototypes"])
    for step_gradients in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(step_gradients[0])], [variable])
    expected = reference_lars(values, gradients, decay=0.0)[0]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), expected, rtol=1e-12)


def test_lars_step_does_not_depend_on_the_gradient_norm(float64, rng):
    values, gradients = variables_and_gradients(rng, [(3, 4)])
    larger = [[1e6 * g for g in step] for step in gradients]
    results = run(LARS(0.5), values, larger)
    np.testing.assert_allclose(results[0], run(LARS(0.5), values, gradients)[0], rtol=1e-12)


def test_lars_norms_do_not_overflow_in_float16(rng):
    keras.config.set_floatx("float16")
    results = run(LARS(0.5), [np.full((64, 64), 100.0)], [[np.full((64, 64), 1000.0)]])
    np.testing.assert_allclose(results[0], 100 - 0.5 * 0.001 * 100, rtol=1e-3)


def test_lars_updates_the_rows_of_an_embedding_that_are_used(rng):
    tokens = keras.Input((3,), dtype="int32")
    embedded = layers.GlobalAveragePooling1D()(layers.Embedding(5, 4)(tokens))
    model = keras.Model(tokens, layers.Dense(1)(embedded))
    model.compile(LARS(1.0, trust_coefficient=0.1), loss="mse")
    before = model.get_weights()[0]
    model.fit(np.array([[0, 1, 1]]), np.ones((1, 1)), verbose=0)
    steps = np.abs(model.get_weights()[0] - before).max(axis=1)
    assert (steps[:2] > 0).all()
    assert (steps[2:] == 0).all()


def small_model(rng):
    images = keras.Input((6,))
    x = layers.BatchNormalization()(layers.Dense(8)(images))
    model = keras.Model(images, layers.Dense(1)(keras.ops.tanh(x)))
    model.set_weights([rng.normal(size=w.shape) ** 2 for w in model.get_weights()])
    return model


def data(rng):
    x = rng.normal(size=(16, 6)).astype("float32")
    return x, x[:, :1] * 2 + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"clipnorm": 0.1},
        {"global_clipnorm": 0.1},
        {"clipvalue": 0.01},
        {"use_ema": True, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 128.0},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(1.0, 20, warmup_target=1.0)},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_lars_supports_the_arguments_of_other_optimizers(rng, settings, tmp_path):
    model = small_model(rng)
    model.compile(LARS(**{"learning_rate": 0.5, "trust_coefficient": 0.02, **settings}), "mse")
    losses = model.fit(*data(rng), batch_size=8, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    copy = LARS.from_config(model.optimizer.get_config())
    assert copy.get_config() == model.optimizer.get_config()


def test_lars_with_accumulated_gradients_equals_one_large_batch(float64, rng):
    values, gradients = variables_and_gradients(rng)
    halves = [[g * part for g in step] for step in gradients for part in (0.5, 1.5)]
    optimizer = LARS(0.5, gradient_accumulation_steps=2, **SETTINGS)
    results = run(optimizer, values, halves)
    for value, expected in zip(results, run(LARS(0.5, **SETTINGS), values, gradients), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_lars_resumes_with_its_velocities_from_a_saved_model(rng, tmp_path):
    model, (x, y) = small_model(rng), data(rng)
    model.compile(LARS(0.5, nesterov=True, **SETTINGS), loss="mse")
    model.fit(x, y, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, LARS)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for network in (model, loaded):
        network.fit(x, y, verbose=0, shuffle=False)
    for actual, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


def test_lars_updates_are_equal_in_mixed_float16_and_float32(rng):
    values = small_model(rng).get_weights()
    x, y = data(rng)
    trained = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        model = small_model(rng)
        model.set_weights(values)
        optimizer = LARS(0.01, trust_coefficient=1.0)
        if policy == "mixed_float16":
            # No step is skipped at this scale.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=256)
        model.compile(optimizer, loss="mse")
        model.fit(x, y, epochs=4, verbose=0, shuffle=False)
        trained.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    before = np.concatenate([w.ravel() for w in values])
    assert np.linalg.norm(trained[1] - trained[0]) < 0.05 * np.linalg.norm(trained[0] - before)


@pytest.mark.slow
def test_lars_on_replicas_equals_one_device(float64, replicas):
    def numbers():
        model = checks.make("SimCLR")
        optimizer = LARS(Steps(), nesterov=True, **SETTINGS)
        return checks.numbers(model, checks.train(model, checks.two_views(), optimizer=optimizer))

    single = numbers()
    with replicas.scope():
        checks.assert_equal(numbers(), single)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("learning_rate", -0.1),
        ("momentum", -0.1),
        ("momentum", 1.5),
        ("weight_decay", -1e-6),
        ("weight_decay", "small"),
        ("trust_coefficient", -0.001),
        ("trust_coefficient", 0),
        ("nesterov", 1),
    ],
)
def test_lars_rejects_a_number_out_of_range(argument, value):
    with pytest.raises((TypeError, ValueError), match=f"`{argument}` must be "):
        LARS(**{"learning_rate": 0.1, argument: value})


def test_lars_is_deserialized_by_its_registered_name():
    config = keras.saving.serialize_keras_object(keras_ssl.optimizers.LARS(0.1))
    assert config["registered_name"] == "keras_ssl>LARS"
    assert isinstance(keras.saving.deserialize_keras_object(config), LARS)
