import keras
import numpy as np
import pytest
from keras import layers

from keras_ssl.optimizers import L2SGD


def network():
    """A dense layer and batch norm, all weights 1."""
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2), layers.BatchNormalization()], name="net"
    )
    model.set_weights([np.ones(w.shape) for w in model.get_weights()])
    return model


def test_l2_sgd_decays_kernels_only():
    model = network()
    optimizer = L2SGD(0.5, weight_decay=0.25)
    gradients = [np.zeros(w.shape, "float32") for w in model.trainable_weights]
    gradients = [keras.ops.convert_to_tensor(gradient) for gradient in gradients]
    optimizer.apply(gradients, model.trainable_weights)
    for weight in model.trainable_weights:
        # The gradient is 0.25, and Nesterov momentum adds 0.9 of the step.
        expected = 1 - 1.9 * 0.5 * 0.25 if weight.name == "kernel" else 1.0
        np.testing.assert_allclose(weight, expected, err_msg=weight.path)


def test_l2_sgd_applies_momentum_to_the_decay():
    kernel = keras.Variable(np.ones((2, 2), "float32"))
    optimizer = L2SGD(0.1, momentum=0.9, nesterov=False, weight_decay=0.5)
    weight, velocity = 1.0, 0.0
    for _ in range(3):
        optimizer.apply([keras.ops.zeros((2, 2))], [kernel])
        velocity = 0.9 * velocity - 0.1 * 0.5 * weight
        weight += velocity
    np.testing.assert_allclose(kernel, weight, rtol=1e-6)


def test_l2_sgd_without_decay_is_nesterov_momentum():
    model = network()
    optimizer = L2SGD(0.5, momentum=0.5)
    for _ in range(2):
        ones = [keras.ops.ones(w.shape) for w in model.trainable_weights]
        optimizer.apply(ones, model.trainable_weights)
    # The velocity is -0.5, then -0.75, and each step looks ahead by half of it.
    expected = 1 - (0.5 + 0.25) - (0.5 + 0.375)
    for weight in model.trainable_weights:
        np.testing.assert_allclose(weight, expected, rtol=1e-6)


def test_l2_sgd_resumes_with_the_same_decay_from_a_saved_model(tmp_path):
    model = network()
    model.compile(L2SGD(0.5, weight_decay=0.25), loss="mse")
    model.fit(np.zeros((4, 3)), np.zeros((4, 2)), verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert type(loaded.optimizer) is L2SGD
    for trained in (model, loaded):
        trained.fit(np.ones((4, 3)), np.zeros((4, 2)), epochs=2, verbose=0)
    for actual, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize("decay", [-0.1, "no", True, float("nan")])
def test_l2_sgd_rejects_a_bad_weight_decay(decay):
    with pytest.raises((TypeError, ValueError), match="`weight_decay` must be "):
        L2SGD(0.1, weight_decay=decay)


@pytest.mark.parametrize(
    "settings", [{"learning_rate": -0.1}, {"momentum": 1.5}, {"momentum": "a"}, {"nesterov": 1}]
)
def test_l2_sgd_rejects_a_bad_argument(settings):
    with pytest.raises((TypeError, ValueError), match=f"`{next(iter(settings))}` must be "):
        L2SGD(**settings)
