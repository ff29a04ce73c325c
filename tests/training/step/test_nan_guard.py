"""A loss that is no number ends a run, and moves nothing."""

import keras
import method_checks as checks
import numpy as np
import pytest
from processes import run_python

import keras_ssl
from keras_ssl.callbacks import Checkpoint, latest_checkpoint

EXPECTED = r"not finite at step 3; weights and optimizer are those before it\. Common causes"


def diverging(jit_compile=False):
    """Its third step divides by zero: the temperature falls to nothing."""
    falling = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.0])
    model = keras_ssl.SimCLR(checks.small_encoder(), temperature=falling)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), jit_compile=jit_compile)
    return model


def run(folder, jit_compile=False):
    """Trains until it diverges; returns the error and whether weights stayed."""
    model, views, before = diverging(jit_compile), checks.two_views(16), {}

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            before[batch] = checks.arrays([*self.model.weights, *self.model.optimizer.variables])

    try:
        callbacks = [Watch(), Checkpoint(folder, save_every_steps=1)]
        model.fit(views, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
    except FloatingPointError as error:
        after = checks.arrays([*model.weights, *model.optimizer.variables])
        return str(error), all(map(np.array_equal, after, before[2])), max(before)
    return None


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_stops_with_the_weights_before(jit_compile, tmp_path):
    message, has_stayed, last = run(tmp_path, jit_compile)
    assert message.startswith("The loss, or its gradient, is not finite at step 3; weights and opt")
    assert "learning rate" in message
    assert "mixed_bfloat16" not in message
    assert has_stayed
    assert last <= 3
    saved = latest_checkpoint(tmp_path)
    assert saved.epoch == 0
    assert all(np.isfinite(w).all() for w in keras.saving.load_model(saved.path).get_weights())


def test_so_it_does_on_jax(tmp_path):
    script = (
        "import sys; from test_finite import run\n"
        "message, has_stayed, last = run(sys.argv[1])\n"
        "assert 'not finite at step 3' in message, message\n"
        "assert has_stayed\n"
    )
    run_python(script, tmp_path, path=[__file__.rpartition("/")[0]], KERAS_BACKEND="jax")


def test_so_it_does_on_replicas(replicas, tmp_path):
    with replicas.scope():
        model = diverging()
    with pytest.raises(FloatingPointError, match=EXPECTED):
        model.fit(checks.two_views(16), batch_size=4, epochs=3, shuffle=False, verbose=0)
    assert int(keras.ops.convert_to_numpy(model.step)) == 2
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@keras.saving.register_keras_serializable("test_finite")
def endless(weights):
    """A regularizer that is no number."""
    return keras.ops.sum(weights) * float("inf")


def test_a_regularizer_that_is_no_number_stops_training_too():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Dense(4, kernel_regularizer=endless)(keras.layers.Flatten()(images))
    model = keras_ssl.SimCLR(keras.Model(images, x))
    model.compile("sgd")
    before = checks.arrays(model.weights)
    with pytest.raises(FloatingPointError, match="not finite at step 1"):
        model.fit(checks.two_views(8), batch_size=8, verbose=0)
    assert all(map(np.array_equal, checks.arrays(model.weights), before))


def plain():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Dense(4)(keras.layers.Flatten()(images))
    model = keras_ssl.SimCLR(keras.Model(images, x))
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.normal(0, 0.1, w.shape).astype(w.dtype) if w.ndim else w for w in model.get_weights()]
    )
    model.compile(keras.optimizers.SGD(0.1), steps_per_execution=4)
    return model


def test_no_step_after_the_bad_one_moves_anything():
    views = tuple(view.copy() for view in checks.two_views(16))
    model = plain()
    model.fit(tuple(v[:8] for v in views), batch_size=4, shuffle=False, verbose=0)
    expected = checks.arrays(model.weights)

    class Bad(keras_ssl.models.array_views.ArrayViews):
        def __getitem__(self, index):
            ((first, second),) = super().__getitem__(index)
            return ((first * np.nan if index == 2 else first, second),)

    model = plain()
    with pytest.raises(FloatingPointError, match="not finite at step 3"):
        model.fit(Bad(views, None, 4), verbose=0)
    for found, right in zip(checks.arrays(model.weights), expected, strict=True):
        np.testing.assert_array_equal(found, right)
