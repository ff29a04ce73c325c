"""Batch norm in training: TensorFlow's fused operation gives the numbers of Keras's own layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import run_python

import keras_ssl
from keras_ssl.training.step import batch_norm
from keras_ssl.training.step.batch_norm import batch_norm_layers

VIEWS = tuple(np.random.default_rng(7).random((2, 16, 12, 12, 3), "float32"))


def trained(precision="float32", **compiled):
    """A method after two steps, with batch norm after convolutions and after dense layers."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    encoder = keras_ssl.encoders.small_resnet((12, 12, 3))
    model = keras_ssl.VICReg(encoder, projector=(24, 8), seed=0)
    model.compile(keras.optimizers.SGD(0.01), **compiled)
    history = model.fit(tf.data.Dataset.from_tensors((VIEWS,)).repeat(2), verbose=0).history
    return model, history["loss"][0]


@pytest.fixture(autouse=True)
def policy():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("compiled", [{}, {"run_eagerly": True}, {"microbatches": 2}])
def test_fused_batch_norm_trains_as_that_of_keras(monkeypatch, compiled):
    fused, loss = trained(**compiled)
    monkeypatch.setattr(batch_norm, "_can_fuse", lambda layer, inputs: False)
    plain, expected = trained(**compiled)
    assert loss == pytest.approx(expected, rel=1e-5)
    for one, other in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=2e-4, atol=2e-6)


def test_half_precision_keeps_float32_statistics(monkeypatch):
    fused, loss = trained("mixed_bfloat16")
    monkeypatch.setattr(batch_norm, "_can_fuse", lambda layer, inputs: False)
    plain, expected = trained("mixed_bfloat16")
    assert loss == pytest.approx(expected, rel=0.02)
    for one, other in zip(batch_norm_layers(fused), batch_norm_layers(plain), strict=True):
        for name in ("moving_mean", "moving_variance"):
            found, wanted = (getattr(layer, name).numpy() for layer in (one, other))
            np.testing.assert_allclose(found, wanted, rtol=0.02, atol=0.02)


def test_every_batch_norm_of_a_step_is_fused_and_layers_stay_as_they_were():
    model, _ = trained()
    forward = [op for op in operations(model) if op == "FusedBatchNormV3"]
    assert len(forward) == 2 * len(batch_norm_layers(model)) > 4  # VICReg passes views apart
    assert not any("call" in vars(layer) for layer in batch_norm_layers(model))


def operations(model):
    """The types of all operations of the step that `fit` traced."""

    @tf.function(autograph=False)
    def step(views):
        return model.train_step((views,))

    return [op.type for op in step.get_concrete_function(VIEWS).graph.get_operations()]


@pytest.mark.parametrize(
    "options",
    [{"renorm": True}, {"center": False}, {"scale": False}, {"axis": 1}, {"trainable": False}],
    ids=str,
)
def test_other_batch_norms_train_too(monkeypatch, options):
    def statistics():
        keras.utils.set_random_seed(0)
        norm = keras.layers.BatchNormalization(**options)
        pool = keras.layers.GlobalAveragePooling2D()
        encoder = keras.Sequential([keras.Input((12, 12, 3)), norm, pool])
        model = keras_ssl.SimCLR(encoder, projector=(8,))
        model.compile("sgd")
        model.fit(tf.data.Dataset.from_tensors((VIEWS,)), verbose=0)
        return norm.get_weights()

    fused = statistics()
    monkeypatch.setattr(batch_norm, "_can_fuse", lambda layer, inputs: False)
    for found, expected in zip(fused, statistics(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


class Doubling(keras.layers.BatchNormalization):
    """A batch norm of one's own, which doubles what it is given first."""

    def call(self, inputs, training=None, mask=None):
        self.called = True
        return super().call(2 * inputs, training=training, mask=mask)


def test_a_subclass_keeps_its_own_call():
    norm = Doubling(momentum=0.0)
    pool = keras.layers.GlobalAveragePooling2D()
    encoder = keras.Sequential([keras.Input((12, 12, 3)), norm, pool])
    norm.called = False
    model = keras_ssl.SimCLR(encoder, projector=(8,))
    model.compile("sgd")
    model.fit(tf.data.Dataset.from_tensors((VIEWS,)), verbose=0)
    assert norm.called
    expected = 2 * VIEWS[1].mean(axis=(0, 1, 2))  # the view that passed last
    np.testing.assert_allclose(norm.moving_mean.numpy(), expected, rtol=1e-5)


def test_saved_encoder_is_of_keras_alone(tmp_path):
    model, _ = trained()
    model.encoder.save(tmp_path / "encoder.keras")
    found = run_python(
        "import keras, sys\n"
        f"encoder = keras.saving.load_model({str(tmp_path / 'encoder.keras')!r})\n"
        "print(any(name.startswith('keras_ssl') for name in sys.modules))"
    )
    assert found.split() == ["False"]
