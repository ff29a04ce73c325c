"""Fused batch norm in training steps equals that of Keras's layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import run_python

import keras_ssl
from keras_ssl.training.step import batch_norm
from keras_ssl.training.step.batch_norm import batch_norm_layers

VIEWS = tuple(np.random.default_rng(7).random((2, 16, 12, 12, 3), "float32"))


def train(precision="float32", **options):
    """Returns a method with batch norm after convolutions and dense layers, and its loss."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    encoder = keras_ssl.encoders.small_resnet((12, 12, 3))
    model = keras_ssl.VICReg(encoder, projector=(24, 8), seed=0)
    model.compile(keras.optimizers.SGD(0.01), **options)
    history = model.fit(tf.data.Dataset.from_tensors((VIEWS,)).repeat(2), verbose=0).history
    return model, history["loss"][0]


@pytest.fixture(autouse=True)
def policy():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}, {"microbatches": 2}])
def test_training_with_fused_batch_norm_equals_training_with_that_of_keras(monkeypatch, options):
    fused, loss = train(**options)
    monkeypatch.setattr(batch_norm, "_is_common", lambda layer, inputs: False)
    plain, expected = train(**options)
    assert loss == pytest.approx(expected, rel=1e-5)
    for weight, expected in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(weight.numpy(), expected.numpy(), rtol=2e-4, atol=2e-6)


@pytest.mark.slow
def test_fused_batch_norm_keeps_float32_statistics_in_half_precision(monkeypatch):
    fused, loss = train("mixed_bfloat16")
    monkeypatch.setattr(batch_norm, "_is_common", lambda layer, inputs: False)
    plain, expected = train("mixed_bfloat16")
    assert loss == pytest.approx(expected, rel=0.02)
    layers = zip(batch_norm_layers(fused), batch_norm_layers(plain), strict=True)
    for pair in layers:
        for name in ("moving_mean", "moving_variance"):
            statistics, expected = (getattr(layer, name).numpy() for layer in pair)
            np.testing.assert_allclose(statistics, expected, rtol=0.02, atol=0.02)


def test_all_batch_norms_of_a_step_are_fused_and_layers_are_restored():
    model, _ = train()
    forward = [op for op in operations(model) if op == "FusedBatchNormV3"]
    assert len(forward) == 2 * len(batch_norm_layers(model)) > 4  # VICReg runs each view alone
    assert not any("call" in vars(layer) for layer in batch_norm_layers(model))


def operations(model):
    """Returns the types of all operations of a training step."""

    @tf.function(autograph=False)
    def step(views):
        return model.train_step((views,))

    return [op.type for op in step.get_concrete_function(VIEWS).graph.get_operations()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"renorm": True}, {"center": False}, {"scale": False}, {"axis": 1}, {"trainable": False}],
    ids=str,
)
def test_batch_norms_with_other_options_train_equally(monkeypatch, options):
    def train_statistics():
        keras.utils.set_random_seed(0)
        norm = keras.layers.BatchNormalization(**options)
        pool = keras.layers.GlobalAveragePooling2D()
        encoder = keras.Sequential([keras.Input((12, 12, 3)), norm, pool])
        model = keras_ssl.SimCLR(encoder, projector=(8,))
        model.compile("sgd")
        model.fit(tf.data.Dataset.from_tensors((VIEWS,)), verbose=0)
        return norm.get_weights()

    fused = train_statistics()
    monkeypatch.setattr(batch_norm, "_is_common", lambda layer, inputs: False)
    for statistic, expected in zip(fused, train_statistics(), strict=True):
        np.testing.assert_allclose(statistic, expected, rtol=1e-4, atol=1e-6)


class Doubling(keras.layers.BatchNormalization):
    """A subclass of batch norm that doubles its inputs."""

    def call(self, inputs, training=None, mask=None):
        self.is_called = True
        return super().call(2 * inputs, training=training, mask=mask)


def test_a_subclass_of_batch_norm_is_not_fused():
    norm = Doubling(momentum=0.0)
    pool = keras.layers.GlobalAveragePooling2D()
    encoder = keras.Sequential([keras.Input((12, 12, 3)), norm, pool])
    norm.is_called = False
    model = keras_ssl.SimCLR(encoder, projector=(8,))
    model.compile("sgd")
    model.fit(tf.data.Dataset.from_tensors((VIEWS,)), verbose=0)
    assert norm.is_called
    expected = 2 * VIEWS[1].mean(axis=(0, 1, 2))  # the last view to run
    np.testing.assert_allclose(norm.moving_mean.numpy(), expected, rtol=1e-5)


@pytest.mark.slow
def test_a_saved_encoder_loads_without_keras_ssl(tmp_path):
    model, _ = train()
    model.encoder.save(tmp_path / "encoder.keras")
    printed = run_python(
        "import keras, sys\n"
        f"encoder = keras.saving.load_model({str(tmp_path / 'encoder.keras')!r})\n"
        "print(any(name.startswith('keras_ssl') for name in sys.modules))"
    )
    assert printed.split() == ["False"]
