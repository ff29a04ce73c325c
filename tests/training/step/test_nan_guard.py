"""A non-finite loss or gradient ends training and changes no weight."""

import types

import keras
import lazy_loader
import method_checks as checks
import numpy as np
import pytest
from processes import run_python

import keras_ssl
from keras_ssl.callbacks import Checkpoint, latest_checkpoint
from keras_ssl.training.fit.array_dataset import ArrayDataset
from keras_ssl.training.step.base import Step, are_finite

tf = lazy_loader.load("tensorflow")

MESSAGE = r"not finite at step 3\. Weights and optimizer are those from before that step\. Common"


def diverging_model(jit_compile=False):
    """Returns a model whose third step divides by zero, the temperature."""
    temperature = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.0])
    model = keras_ssl.SimCLR(checks.small_encoder(), temperature=temperature)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), jit_compile=jit_compile)
    return model


def fit_until_error(folder, jit_compile=False):
    """Returns the message, whether the weights are those from before the step, the last batch."""
    model, views, before = diverging_model(jit_compile), checks.two_views(16), {}

    class Recorder(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            before[batch] = checks.arrays([*self.model.weights, *self.model.optimizer.variables])

    try:
        callbacks = [Recorder(), Checkpoint(folder, save_every_steps=1)]
        model.fit(views, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
    except FloatingPointError as error:
        after = checks.arrays([*model.weights, *model.optimizer.variables])
        return str(error), all(map(np.array_equal, after, before[2])), max(before)
    return None


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_non_finite_loss_ends_fit_with_the_weights_from_before_the_step(jit_compile, tmp_path):
    message, is_unchanged, last_batch = fit_until_error(tmp_path, jit_compile)
    assert message.startswith("The loss or a gradient is not finite at step 3. Weights and opt")
    assert "learning rate" in message
    assert "mixed_bfloat16" not in message
    assert is_unchanged
    assert last_batch <= 3
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint.epoch == 0
    weights = keras.saving.load_model(checkpoint.path).get_weights()
    assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.slow
def test_a_non_finite_loss_ends_fit_on_jax(tmp_path):
    script = (
        "import sys; from test_nan_guard import fit_until_error\n"
        "message, is_unchanged, last_batch = fit_until_error(sys.argv[1])\n"
        "assert 'not finite at step 3' in message, message\n"
        "assert is_unchanged\n"
    )
    run_python(script, tmp_path, path=[__file__.rpartition("/")[0]], KERAS_BACKEND="jax")


@pytest.mark.slow
def test_a_non_finite_loss_ends_fit_on_replicas(replicas, tmp_path):
    with replicas.scope():
        model = diverging_model()
    with pytest.raises(FloatingPointError, match=MESSAGE):
        model.fit(checks.two_views(16), batch_size=4, epochs=3, shuffle=False, verbose=0)
    assert int(keras.ops.convert_to_numpy(model.step)) == 2
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_an_overflow_on_one_replica_reaches_the_gradients_of_all(replicas):
    with replicas.scope():
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    step = Step(types.SimpleNamespace(optimizer=optimizer))

    def is_finite():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        gradient = tf.where(tf.equal(replica, 0), float("inf"), tf.ones(3))
        return are_finite(step.sync_overflow([gradient]))

    results = replicas.experimental_local_results(tf.function(lambda: replicas.run(is_finite))())
    assert [bool(result) for result in results] == [False, False]


@keras.saving.register_keras_serializable("test_nan_guard")
def infinite_regularizer(weights):
    return keras.ops.sum(weights) * float("inf")


def test_a_non_finite_regularization_loss_ends_fit():
    images = keras.Input((8, 8, 3))
    dense = keras.layers.Dense(4, kernel_regularizer=infinite_regularizer)
    model = keras_ssl.SimCLR(keras.Model(images, dense(keras.layers.Flatten()(images))))
    model.compile("sgd")
    before = checks.arrays(model.weights)
    with pytest.raises(FloatingPointError, match="not finite at step 1"):
        model.fit(checks.two_views(8), batch_size=8, verbose=0)
    assert all(map(np.array_equal, checks.arrays(model.weights), before))


def model_with_several_steps_per_execution():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Dense(4)(keras.layers.Flatten()(images))
    model = keras_ssl.SimCLR(keras.Model(images, x))
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.normal(0, 0.1, w.shape).astype(w.dtype) if w.ndim else w for w in model.get_weights()]
    )
    model.compile(keras.optimizers.SGD(0.1), steps_per_execution=4)
    return model


def test_no_step_after_a_non_finite_loss_changes_weights():
    views = tuple(view.copy() for view in checks.two_views(16))
    model = model_with_several_steps_per_execution()
    model.fit(tuple(v[:8] for v in views), batch_size=4, shuffle=False, verbose=0)
    expected_weights = checks.arrays(model.weights)

    class NanBatch(ArrayDataset):
        def __getitem__(self, index):
            ((first, second),) = super().__getitem__(index)
            return ((first * np.nan if index == 2 else first, second),)

    model = model_with_several_steps_per_execution()
    with pytest.raises(FloatingPointError, match="not finite at step 3"):
        model.fit(NanBatch(views, None, 4), verbose=0)
    for weight, expected in zip(checks.arrays(model.weights), expected_weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
