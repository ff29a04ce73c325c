"""Batches that pass a network piece by piece: the loss and the gradient are the whole batch's."""

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
from test_pieces import NAMES, trained

method_checks.in_float64()
found = {f"{name}/{k}": v for name in NAMES for k, v in trained(name, 2).items()}
np.savez(sys.argv[1], **found)
"""


def trained(name, pieces, rows=8, **options):
    """Logs and weights after two steps, without batch norm in the network."""
    model = checks.make(name, checks.small_encoder(batch_norm=False))
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.normal(0, 0.3, w.shape) if w.ndim > 1 else w for w in model.get_weights()]
    )
    rate = keras.optimizers.SGD(0.125, momentum=0.875)
    metrics = ["accuracy"] if isinstance(model, keras_ssl.SemiSupervisedModel) else None
    model.compile(rate, metrics=metrics, microbatches=pieces, **options)
    history = checks.train(model, checks.two_views(2 * rows), rows, epochs=1)
    named = {f"log_{key}": np.array(values) for key, values in history.items()}
    return named | {f"weight_{i}": value for i, value in enumerate(model.get_weights())}


@pytest.mark.parametrize("name", NAMES)
def test_a_step_in_microbatches_is_that_of_the_whole_batch(name, float64):
    checks.assert_equal(trained(name, 2), trained(name, 1), 1e-10)


def test_so_it_is_on_replicas_of_which_each_has_its_pieces(float64, replicas):
    expected = trained("SimCLR", 1)
    with replicas.scope():
        found = trained("SimCLR", 2)
    checks.assert_equal(found, expected, 1e-10)


def test_so_it_is_on_jax(float64, tmp_path):
    run_python(
        SCRIPT, tmp_path / "jax.npz", path=[__file__.rpartition("/")[0]], KERAS_BACKEND="jax"
    )
    found = np.load(tmp_path / "jax.npz")
    for name in NAMES:
        for key, value in trained(name, 1).items():
            where = f"{name}/{key}"
            np.testing.assert_allclose(found[where], value, rtol=1e-8, atol=1e-8, err_msg=where)


def encoder_with_state():
    images = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(momentum=0.75)(layers.Conv2D(4, 3)(images))
    x = layers.Dropout(0.5, seed=3)(layers.Flatten()(layers.ReLU()(x)))
    return keras.Model(images, layers.Dense(5)(x))


def test_batch_norm_sees_a_piece_at_a_time_and_dropout_drops_the_same_twice(float64):
    views = checks.two_views(12)
    model = keras_ssl.SimCLR(encoder_with_state(), projector=(6,))
    apart = keras_ssl.SimCLR(encoder_with_state(), projector=(6,))
    apart.set_weights(model.get_weights())
    model.compile(keras.optimizers.SGD(1.0), microbatches=3)
    model.fit(views, batch_size=12, shuffle=False, verbose=0)

    with tf.GradientTape() as tape:
        z = []
        for view in views:
            pieces = [apart.encoder(view[i::3], training=True) for i in range(3)]
            rows = tf.reshape(tf.stack(pieces, axis=1), (12, 5))
            z.append(apart.projector(rows, training=True))
        loss = keras_ssl.losses.nt_xent(*z)
    weights = apart.trainable_variables
    for weight, gradient in zip(
        weights, tape.gradient(loss, [w.value for w in weights]), strict=True
    ):
        weight.assign(weight - gradient)
    for found, expected in zip(model.encoder.variables, apart.encoder.variables, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-10, err_msg=found.path)


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"run_eagerly": True}])
def test_so_it_is_under_xla_and_run_eagerly(options, float64):
    checks.assert_equal(trained("SimCLR", 2, **options), trained("SimCLR", 1), 1e-10)


def test_a_network_that_takes_one_size_passes_in_microbatches():
    images = keras.Input((8, 8, 3))
    encoder = keras.Model(images, layers.Dense(4)(layers.Flatten()(images)))
    for options in ({}, {"run_eagerly": True}):
        model = keras_ssl.SimCLR(encoder, projector=(4,))
        model.compile("sgd", microbatches=2, **options)
        model.fit(checks.two_views(8), batch_size=8, verbose=0)
        assert model(checks.two_views(3)[0], training=True).shape == (3, 4)  # whole, elsewhere


@keras.saving.register_keras_serializable("test_pieces")
class Stopped(keras_ssl.SimCLR):
    """No gradient reaches its first view."""

    def compute_losses(self, batch, training):
        z1, z2 = (self.project(view, training) for view in batch.views)
        return {"loss": keras_ssl.losses.negative_cosine(z2, z1)}


def test_what_no_gradient_reaches_passes_in_microbatches(float64):
    found = []
    for pieces in (1, 2):
        model = Stopped(checks.small_encoder(batch_norm=False), projector=(4,))
        model.set_weights([np.cos(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()])
        model.compile(keras.optimizers.SGD(0.5), microbatches=pieces)
        model.fit(checks.two_views(8), batch_size=8, shuffle=False, verbose=0)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


class Charge(layers.Layer):
    """Adds a loss of what it sees."""

    def call(self, x):
        self.add_loss(keras.ops.mean(x))
        return x


REFUSED = """
import keras, numpy as np
from test_pieces import layers_that_add
import keras_ssl
for layer in layers_that_add():
    images = keras.Input((8, 8, 3))
    encoder = keras.Model(images, layer(keras.layers.Flatten()(images)))
    for pieces in (1, 2):
        model = keras_ssl.SimCLR(encoder, projector=(4,))
        model.compile("sgd", microbatches=pieces)
        view = np.zeros((8, 8, 8, 3), "float32")
        try:
            model.fit((view, view), batch_size=8, verbose=0)
            print("trains")
        except ValueError as error:
            print(error)
"""


def layers_that_add():
    return Charge(), layers.Dense(4, activity_regularizer="l2")


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_loss_of_what_layers_see_is_refused(backend):
    told = run_python(REFUSED, KERAS_BACKEND=backend, path=[Path(__file__).parent])
    told = told.strip().splitlines()
    assert told[::2] == ["trains", "trains"]
    assert all(
        line.startswith("`microbatches` is 2, and a layer of functional") for line in told[1::2]
    )


def test_few_labels_and_own_batches_are_checked_too():
    model = checks.make("FixMatch")
    model.compile("sgd", microbatches=3)
    with pytest.raises(ValueError, match=r"`microbatches` is 3, and a batch has 8 images, x\['lab"):
        model.fit(checks.FewLabels(checks.two_views(16), 16), verbose=0)
    model, views = checks.make("SimCLR"), checks.two_views(10)
    model.compile("sgd", microbatches=2)
    with pytest.raises(ValueError, match="`microbatches` is 2, and a batch has 5 images"):
        model.fit(ArrayDataset(views, None, 5), verbose=0)


def test_it_is_saved(tmp_path):
    model = checks.make("SimCLR")
    model.compile("sgd", microbatches=4)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").microbatches == 4


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SimCLR", 0, "`microbatches` must be at least 1"),
        ("SimCLR", 2.5, "`microbatches` must be an int"),
        ("MAE", 4, "MAE.compile.optimizer. takes no `microbatches`"),
    ],
)
def test_a_wrong_one_is_named(name, value, message):
    with pytest.raises((TypeError, ValueError), match=message):
        checks.make(name).compile("sgd", microbatches=value)


def test_one_that_does_not_divide_the_batch_is_named_before_a_step():
    model = checks.make("SimCLR")
    model.compile("sgd", microbatches=3)
    with pytest.raises(ValueError, match="`microbatches` is 3, and a batch has 8 images"):
        model.fit(checks.two_views(16), batch_size=8, verbose=0)
    assert int(model.step) == 0
