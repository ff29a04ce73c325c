"""Microbatches: the loss and the gradient are those of the whole batch."""

from pathlib import Path

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from processes import run_python

import keras_ssl
from keras_ssl.training.fit.array_dataset import ArrayDataset

NAMES = ("CLIP", "DINO", "FixMatch", "MeanTeacher", "MoCo", "NNCLR", "SimCLR", "SupCon")
SCRIPT = """
import sys
import numpy as np
import method_checks
from test_microbatches import NAMES, train

method_checks.in_float64()
numbers = {f"{name}/{k}": v for name in NAMES for k, v in train(name, 2).items()}
np.savez(sys.argv[1], **numbers)
"""


def train(name, microbatches, batch_size=8, **options):
    """Returns logs and weights after two steps, without batch norm in the network."""
    model = checks.make(name, checks.small_encoder(batch_norm=False))
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.normal(0, 0.3, w.shape) if w.ndim > 1 else w for w in model.get_weights()]
    )
    optimizer = keras.optimizers.SGD(0.125, momentum=0.875)
    metrics = ["accuracy"] if isinstance(model, keras_ssl.SemiSupervisedModel) else None
    model.compile(optimizer, metrics=metrics, microbatches=microbatches, **options)
    history = checks.train(model, checks.two_views(2 * batch_size), batch_size, epochs=1)
    named = {f"log_{key}": np.array(values) for key, values in history.items()}
    return named | {f"weight_{i}": value for i, value in enumerate(model.get_weights())}


@pytest.mark.parametrize(
    "name", ["SimCLR", *(pytest.param(n, marks=pytest.mark.slow) for n in NAMES if n != "SimCLR")]
)
def test_a_step_in_microbatches_equals_a_step_on_the_whole_batch(name, float64):
    checks.assert_equal(train(name, 2), train(name, 1), 1e-10)


def test_microbatches_on_replicas_equal_the_whole_batch_on_one_device(float64, replicas):
    expected = train("SimCLR", 1)
    with replicas.scope():
        numbers = train("SimCLR", 2)
    checks.assert_equal(numbers, expected, 1e-10)


@pytest.mark.slow
def test_microbatches_are_equal_on_jax(float64, tmp_path):
    run_python(
        SCRIPT, tmp_path / "jax.npz", path=[__file__.rpartition("/")[0]], KERAS_BACKEND="jax"
    )
    numbers = np.load(tmp_path / "jax.npz")
    for name in NAMES:
        for key, value in train(name, 1).items():
            key = f"{name}/{key}"
            np.testing.assert_allclose(numbers[key], value, rtol=1e-8, atol=1e-8, err_msg=key)


def encoder_with_state():
    images = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(momentum=0.75)(layers.Conv2D(4, 3)(images))
    x = layers.Dropout(0.5, seed=3)(layers.Flatten()(layers.ReLU()(x)))
    return keras.Model(images, layers.Dense(5)(x))


@pytest.mark.tensorflow
def test_batch_norm_sees_one_microbatch_and_both_passes_share_dropout_masks(float64):
    views = checks.two_views(12)
    model = keras_ssl.SimCLR(encoder_with_state(), projector=(6,))
    reference = keras_ssl.SimCLR(encoder_with_state(), projector=(6,))
    reference.set_weights(model.get_weights())
    model.compile(keras.optimizers.SGD(1.0), microbatches=3)
    model.fit(views, batch_size=12, shuffle=False, verbose=0)

    with tf.GradientTape() as tape:
        z = []
        for view in views:
            features = [reference.encoder(view[i::3], training=True) for i in range(3)]
            features = tf.reshape(tf.stack(features, axis=1), (12, 5))
            z.append(reference.projector(features, training=True))
        loss = keras_ssl.losses.nt_xent(*z)
    weights = reference.trainable_variables
    for weight, gradient in zip(
        weights, tape.gradient(loss, [w.value for w in weights]), strict=True
    ):
        weight.assign(weight - gradient)
    for weight, expected in zip(model.encoder.variables, reference.encoder.variables, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-10, err_msg=weight.path)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"jit_compile": True}, {"run_eagerly": True}])
def test_microbatches_are_equal_under_xla_and_eagerly(options, float64):
    checks.assert_equal(train("SimCLR", 2, **options), train("SimCLR", 1), 1e-10)


def test_an_encoder_of_fixed_image_size_trains_in_microbatches():
    images = keras.Input((8, 8, 3))
    encoder = keras.Model(images, layers.Dense(4)(layers.Flatten()(images)))
    for options in ({}, {"run_eagerly": True}):
        model = keras_ssl.SimCLR(encoder, projector=(4,))
        model.compile("sgd", microbatches=2, **options)
        model.fit(checks.two_views(8), batch_size=8, verbose=0)
        # Calls outside of a training step are not split: 3 images are no multiple of 2.
        assert model(checks.two_views(3)[0], training=True).shape == (3, 4)


@keras.saving.register_keras_serializable("test_microbatches")
class HalfStopped(keras_ssl.SimCLR):
    """No gradient reaches the first view."""

    def compute_losses(self, batch, training):
        z1, z2 = (self.project(view, training) for view in batch.views)
        return {"loss": keras_ssl.losses.negative_cosine(z2, z1)}


def test_a_view_without_gradient_trains_in_microbatches(float64):
    results = []
    for microbatches in (1, 2):
        model = HalfStopped(checks.small_encoder(batch_norm=False), projector=(4,))
        model.set_weights([np.cos(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()])
        model.compile(keras.optimizers.SGD(0.5), microbatches=microbatches)
        model.fit(checks.two_views(8), batch_size=8, shuffle=False, verbose=0)
        results.append(model.get_weights())
    for expected, weight in zip(*results, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-12)


class ActivityLoss(layers.Layer):
    """Adds the mean of its input to the loss."""

    def call(self, x):
        self.add_loss(keras.ops.mean(x))
        return x


FIT_WITH_ACTIVITY_LOSSES = """
import keras, numpy as np
from test_microbatches import layers_with_activity_loss
import keras_ssl
for layer in layers_with_activity_loss():
    images = keras.Input((8, 8, 3))
    encoder = keras.Model(images, layer(keras.layers.Flatten()(images)))
    for microbatches in (1, 2):
        model = keras_ssl.SimCLR(encoder, projector=(4,))
        model.compile("sgd", microbatches=microbatches)
        view = np.zeros((8, 8, 8, 3), "float32")
        try:
            model.fit((view, view), batch_size=8, verbose=0)
            print("trains")
        except ValueError as error:
            print(error)
"""


def layers_with_activity_loss():
    return ActivityLoss(), layers.Dense(4, activity_regularizer="l2")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_microbatches_reject_layers_that_add_an_activity_loss(backend):
    printed = run_python(
        FIT_WITH_ACTIVITY_LOSSES, KERAS_BACKEND=backend, path=[Path(__file__).parent]
    )
    lines = printed.strip().splitlines()
    assert lines[::2] == ["trains", "trains"]
    message = "`microbatches=2` does not support layers that add a loss of the whole batch"
    assert all(line.startswith(message) for line in lines[1::2])


def test_fit_rejects_semi_supervised_batches_and_pydatasets_that_microbatches_do_not_divide():
    model = checks.make("FixMatch")
    model.compile("sgd", microbatches=3)
    message = r"`microbatches=3` must divide the 8 images, x\['labeled'\], of a batch"
    with pytest.raises(ValueError, match=message):
        model.fit(checks.FewLabels(checks.two_views(16), 16), verbose=0)
    model, views = checks.make("SimCLR"), checks.two_views(10)
    model.compile("sgd", microbatches=2)
    with pytest.raises(ValueError, match="`microbatches=2` must divide the 5 images of a batch"):
        model.fit(ArrayDataset(views, None, 5), verbose=0)


def test_microbatches_are_restored_by_load_model(tmp_path):
    model = checks.make("SimCLR")
    model.compile("sgd", microbatches=4)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").microbatches == 4


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SimCLR", 0, "`microbatches` must be at least 1"),
        ("SimCLR", 2.5, "`microbatches` must be an int"),
        ("MAE", 4, "`microbatches` is not supported by MAE.compile"),
    ],
)
def test_compile_rejects_invalid_microbatches(name, value, message):
    with pytest.raises((TypeError, ValueError), match=message):
        checks.make(name).compile("sgd", microbatches=value)


def test_fit_rejects_microbatches_that_do_not_divide_the_batch_before_a_step():
    model = checks.make("SimCLR")
    model.compile("sgd", microbatches=3)
    with pytest.raises(ValueError, match="`microbatches=3` must divide the 8 images of a batch"):
        model.fit(checks.two_views(16), batch_size=8, verbose=0)
    assert int(model.step) == 0
