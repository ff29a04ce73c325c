"""State beside the trained weights: when it moves, what it reads, how a run goes on with it."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from processes import run_python

import keras_ssl


class Each(keras.callbacks.Callback):
    """Keeps what a function returns before and after each batch."""

    def __init__(self, values):
        super().__init__()
        self.values, self.seen = values, [checks.arrays(values())]

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(checks.arrays(self.values()))

    def moved(self):
        """For each batch and each value, whether it changed."""
        steps = zip(self.seen, self.seen[1:], strict=False)
        return [[bool(np.any(a != b)) for a, b in zip(old, new, strict=True)] for old, new in steps]


@pytest.mark.parametrize(("name", "state"), [("MoCo", "queue"), ("DINO", "center")])
def test_state_moves_with_the_optimizers_step_where_gradients_accumulate(name, state):
    model = checks.make(name)
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), run_eagerly=True)
    kernel = model.momentum_encoder.layers[1].kernel
    each = Each(lambda: [getattr(model, state), kernel, model.step])
    checks.train(model, checks.two_views(), batch_size=8, epochs=1, callbacks=[each])
    assert each.moved() == [[False] * 3, [True] * 3] * 2
    assert int(model.step) == 2


def test_the_queue_takes_the_keys_of_the_optimizers_step(float64):
    model = checks.make("MoCo")
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), run_eagerly=True)
    before = np.asarray(model.queue).copy()
    checks.train(model, checks.two_views(), batch_size=16, epochs=1)
    np.testing.assert_array_equal(model.queue[16:], before[:-16])


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_the_step_is_the_optimizers_also_under_loss_scaling(policy):
    keras.config.set_dtype_policy(policy)
    model = checks.make("SimCLR")
    references.one_step(model, checks.two_views(16), batches=3)
    assert int(model.step) == 3


def test_state_is_float32_under_half_precision_and_never_trained():
    keras.config.set_dtype_policy("mixed_float16")
    model = checks.make("SimCLR")
    weight = model.add_state("mine", (2, 3), np.arange(6).reshape(2, 3))
    assert weight.dtype == "float32"
    np.testing.assert_array_equal(weight, [[0, 1, 2], [3, 4, 5]])
    assert any(each is weight for each in model.non_trainable_weights)
    np.testing.assert_array_equal(model.add_state("two", (2,), 7.0), [7, 7])


def test_a_number_is_read_as_it_is_and_a_schedule_at_the_step():
    model = checks.make("SimCLR")
    model.step.assign(2)
    assert model.current_value(0.5) == 0.5
    halving = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
    assert float(model.current_value(halving)) == 0.5


def test_evaluation_on_jax_follows_the_schedule_of_training():
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
        "first = checks.evaluate(model, views)\n"
        "np.testing.assert_allclose(first, constant(1.0, model.get_weights()), rtol=1e-5)\n"
        "checks.train(model, views)\n"
        "then = checks.evaluate(model, views)\n"
        "np.testing.assert_allclose(then, constant(0.55, model.get_weights()), rtol=1e-5)\n"
        "assert abs(then - constant(1.0, model.get_weights())) > 0.01\n"
    )
    run_python(script, KERAS_BACKEND="jax", JAX_ENABLE_X64="0")


OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "AdamW": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.1),
    "LARS": lambda: keras_ssl.optimizers.LARS(0.1, weight_decay=0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_direction_of_held_prototypes_stands_still_whatever_the_optimizer(optimizer, float64):
    model = checks.make("DINO", freeze_prototypes_steps=2)
    kernel = model.prototypes.kernel
    each = Each(lambda: [kernel / np.linalg.norm(kernel, axis=0)])
    model.compile(OPTIMIZERS[optimizer](), run_eagerly=True)
    checks.train(model, checks.two_views(16), epochs=4, callbacks=[each])
    steps = zip(each.seen, each.seen[1:], strict=False)
    moved = [np.abs(new[0] - old[0]).max() > 1e-9 for old, new in steps]
    assert moved == [False, False, True, True]


CONTINUED = """
import keras, keras_ssl, method_checks as checks

def start(name, epochs):
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
    falling = keras.optimizers.SGD(schedules.CosineDecay(0.1, 16), momentum=0.9)
    model.compile(falling, run_eagerly=True)
    model.fit(checks.two_views(), batch_size=8, epochs=epochs, verbose=0)
    return model
"""


def test_a_run_continued_in_a_new_process_equals_the_uninterrupted_one(tmp_path):
    here = {}
    exec(CONTINUED, here)
    for name in ("DINO", "SwAV"):
        here["start"](name, 2).save(tmp_path / f"{name}.keras")
    script = (
        "for name in ('DINO', 'SwAV'):\n"
        "    model = keras.saving.load_model(name + '.keras')\n"
        "    data = checks.two_views()\n"
        "    model.fit(data, batch_size=8, initial_epoch=2, epochs=4, verbose=0)\n"
        "    model.save(name + '.keras')\n"
    )
    run_python(CONTINUED + script, cwd=tmp_path)
    for name in ("DINO", "SwAV"):
        found = keras.saving.load_model(tmp_path / f"{name}.keras")
        whole = here["start"](name, 4)
        for mine, expected in zip(found.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, expected)
        states = zip(found.optimizer.variables, whole.optimizer.variables, strict=True)
        for mine, expected in states:
            np.testing.assert_array_equal(mine, expected)
