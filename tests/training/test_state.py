"""Non-trainable state of methods: updates, schedules, dtype, resuming."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from processes import run_python

import keras_ssl


class ValueRecorder(keras.callbacks.Callback):
    """Records the values that a function returns before and after each batch."""

    def __init__(self, get_values):
        super().__init__()
        self.get_values, self.values = get_values, [checks.arrays(get_values())]

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(checks.arrays(self.get_values()))

    def changes(self):
        """Returns whether each value changed, for each batch."""
        steps = zip(self.values, self.values[1:], strict=False)
        return [[bool(np.any(a != b)) for a, b in zip(old, new, strict=True)] for old, new in steps]


@pytest.mark.tensorflow  # on JAX, Keras writes the weights back after the last batch only
@pytest.mark.parametrize(("name", "state"), [("MoCo", "queue"), ("DINO", "center")])
def test_gradient_accumulation_updates_state_once_per_optimizer_step(name, state):
    model = checks.make(name)
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), run_eagerly=True)
    kernel = model.momentum_encoder.layers[1].kernel
    recorder = ValueRecorder(lambda: [getattr(model, state), kernel, model.step])
    checks.train(model, checks.two_views(), batch_size=8, epochs=1, callbacks=[recorder])
    assert recorder.changes() == [[False] * 3, [True] * 3] * 2
    assert int(model.step) == 2


def test_gradient_accumulation_enqueues_the_keys_of_the_last_batch_of_a_step(float64):
    model = checks.make("MoCo")
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), run_eagerly=True)
    before = np.asarray(model.queue).copy()
    checks.train(model, checks.two_views(), batch_size=16, epochs=1)
    np.testing.assert_array_equal(model.queue[16:], before[:-16])


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_the_step_equals_that_of_the_optimizer_also_under_loss_scaling(policy):
    keras.config.set_dtype_policy(policy)
    model = checks.make("SimCLR")
    references.one_step(model, checks.two_views(16), batches=3)
    assert int(model.step) == 3


def test_state_is_float32_under_half_precision_and_not_trainable():
    keras.config.set_dtype_policy("mixed_float16")
    model = checks.make("SimCLR")
    weight = model.add_state("mine", (2, 3), np.arange(6).reshape(2, 3))
    assert weight.dtype == "float32"
    np.testing.assert_array_equal(weight, [[0, 1, 2], [3, 4, 5]])
    assert any(variable is weight for variable in model.non_trainable_weights)
    np.testing.assert_array_equal(model.add_state("two", (2,), 7.0), [7, 7])


def test_current_value_returns_numbers_unchanged_and_schedules_at_the_step():
    model = checks.make("SimCLR")
    model.step.assign(2)
    assert model.current_value(0.5) == 0.5
    halving = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
    assert float(model.current_value(halving)) == 0.5


@pytest.mark.slow
def test_evaluation_on_jax_uses_the_schedule_at_the_training_step():
    script = (
        "import keras, method_checks as checks, numpy as np\n"
        "views = checks.two_views()\n"
        "schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 8, 0.1)\n"
        "def constant(temperature, weights):\n"
        "    model = checks.make('SimCLR', temperature=temperature)\n"
        "    model.set_weights(weights)\n"
        "    model.compile('sgd')\n"
        "    return checks.evaluate(model, views)\n"
        "model = checks.make('SimCLR', temperature=schedule)\n"
        "model.compile('sgd')\n"
        "before = checks.evaluate(model, views)\n"
        "np.testing.assert_allclose(before, constant(1.0, model.get_weights()), rtol=1e-5)\n"
        "checks.train(model, views)\n"
        "after = checks.evaluate(model, views)\n"
        "np.testing.assert_allclose(after, constant(0.55, model.get_weights()), rtol=1e-5)\n"
        "assert abs(after - constant(1.0, model.get_weights())) > 0.01\n"
    )
    run_python(script, KERAS_BACKEND="jax", JAX_ENABLE_X64="0")


OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "AdamW": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.1),
    "LARS": lambda: keras_ssl.optimizers.LARS(0.1, weight_decay=0.1),
}


@pytest.mark.tensorflow  # on JAX, Keras writes the weights back after the last batch only
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_prototypes_keep_their_direction_under_any_optimizer(optimizer, float64):
    model = checks.make("DINO", freeze_prototypes_steps=2)
    kernel = model.prototypes.kernel
    recorder = ValueRecorder(lambda: [kernel / np.linalg.norm(kernel, axis=0)])
    model.compile(OPTIMIZERS[optimizer](), run_eagerly=True)
    checks.train(model, checks.two_views(16), epochs=4, callbacks=[recorder])
    steps = zip(recorder.values, recorder.values[1:], strict=False)
    has_changed = [np.abs(new[0] - old[0]).max() > 1e-9 for old, new in steps]
    assert has_changed == [False, False, True, True]


DEFINE_TRAIN = """
import keras, keras_ssl, method_checks as checks

def train(name, epochs):
    schedules = keras.optimizers.schedules
    kwargs = {
        "DINO": {
            "momentum": keras_ssl.schedules.CosineMomentum(0.75, 16),
            "teacher_temperature": schedules.PolynomialDecay(0.04, 16, 0.07),
            "freeze_prototypes_steps": 10,
        },
        "SwAV": {"queue_start": 6, "freeze_prototypes_steps": 10, "queue_size": 16},
    }[name]
    model = checks.make(name, seed=3, **kwargs)
    if name == "SwAV":
        model.queue.assign(0.0 * model.queue)
    optimizer = keras.optimizers.SGD(schedules.CosineDecay(0.1, 16), momentum=0.9)
    model.compile(optimizer, run_eagerly=True)
    model.fit(checks.two_views(), batch_size=8, epochs=epochs, verbose=0)
    return model
"""


@pytest.mark.slow
def test_dino_and_swav_resumed_in_a_new_process_equal_the_uninterrupted_run(
    tmp_path, graph_optimizer
):
    namespace = {}
    exec(DEFINE_TRAIN, namespace)
    train = namespace["train"]
    for name in ("DINO", "SwAV"):
        train(name, 2).save(tmp_path / f"{name}.keras")
    script = (
        "for name in ('DINO', 'SwAV'):\n"
        "    model = keras.saving.load_model(name + '.keras')\n"
        "    data = checks.two_views()\n"
        "    model.fit(data, batch_size=8, initial_epoch=2, epochs=4, verbose=0)\n"
        "    model.save(name + '.keras')\n"
    )
    run_python(DEFINE_TRAIN + script, cwd=tmp_path)
    for name in ("DINO", "SwAV"):
        resumed = keras.saving.load_model(tmp_path / f"{name}.keras")
        uninterrupted = train(name, 4)
        weights = zip(resumed.get_weights(), uninterrupted.get_weights(), strict=True)
        for weight, expected in weights:
            np.testing.assert_array_equal(weight, expected)
        optimizers = resumed.optimizer.variables, uninterrupted.optimizer.variables
        for variable, expected in zip(*optimizers, strict=True):
            np.testing.assert_array_equal(variable, expected)
