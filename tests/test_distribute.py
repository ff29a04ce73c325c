"""Strategies, replicas and `all_gather`."""

import types

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import _internals, distribute

ROWS = np.random.default_rng(0).normal(size=(6, 4))
WEIGHTS = np.random.default_rng(1).normal(size=(6, 4))


def run_on_replicas(strategy, function, values):
    """Returns the results of `function(part of values)` on each replica, in order."""
    parts = np.split(values, strategy.num_replicas_in_sync)

    def replica_values(context):
        return tf.constant(parts[context.replica_id_in_sync_group])

    distributed = strategy.experimental_distribute_values_from_function(replica_values)
    results = tf.function(lambda: strategy.run(function, args=(distributed,)))()
    return strategy.experimental_local_results(results)


def test_all_gather_returns_the_rows_of_all_replicas_in_order(replicas):
    for gathered in run_on_replicas(replicas, distribute.all_gather, ROWS):
        np.testing.assert_array_equal(gathered, ROWS)


def test_the_gradient_of_all_gather_reaches_the_replica_of_each_row(replicas):
    def gradient(rows):
        with tf.GradientTape() as tape:
            tape.watch(rows)
            gathered = distribute.all_gather(rows)
            # Rows of different replicas interact, as in a contrastive loss.
            loss = tf.reduce_sum(WEIGHTS * gathered) * tf.reduce_sum(gathered**2)
            loss = loss / distribute.num_replicas()
        return tape.gradient(loss, rows)

    # The product rule on the whole batch.
    expected = WEIGHTS * np.sum(ROWS**2) + 2 * ROWS * np.sum(WEIGHTS * ROWS)
    gradients = np.concatenate(run_on_replicas(replicas, gradient, ROWS))
    np.testing.assert_allclose(gradients, expected, rtol=1e-12)


def test_all_gather_returns_its_input_on_one_device():
    rows = keras.ops.convert_to_tensor(ROWS)
    assert distribute.all_gather(rows) is rows


def test_num_replicas_is_1_outside_of_a_step(replicas):
    assert distribute.num_replicas() == 1
    with replicas.scope():
        assert distribute.num_replicas() == 1
    counts = run_on_replicas(
        replicas, lambda rows: distribute.num_replicas() + 0 * rows[0, 0], ROWS
    )
    assert [float(count) for count in counts] == [2, 2]


def test_a_model_has_the_strategy_of_the_scope_in_which_it_was_created(replicas):
    model = checks.make("SimCLR")
    assert not distribute.has_strategy(model)
    assert distribute.num_replicas_of(model) == 1
    distribute.check_same_strategy(model, keras.optimizers.SGD())
    with distribute.strategy_scope(model):
        assert not tf.distribute.has_strategy()

    with replicas.scope():
        model, optimizer = checks.make("SimCLR"), keras.optimizers.SGD()
    assert distribute.has_strategy(model)
    assert distribute.num_replicas_of(model) == 2
    with distribute.strategy_scope(model):
        assert tf.distribute.get_strategy() is replicas
    distribute.check_same_strategy(model, optimizer)
    with pytest.raises(ValueError, match="`optimizer` was created outside the scope"):
        distribute.check_same_strategy(model, keras.optimizers.SGD())


@pytest.mark.parametrize("task", [0, 1])
def test_the_chief_is_the_first_of_several_workers(task, monkeypatch):
    model = checks.make("SimCLR")
    assert distribute.is_chief(model)
    resolver = types.SimpleNamespace(task_id=task)
    strategy = types.SimpleNamespace(cluster_resolver=resolver)
    monkeypatch.setattr(_internals, "distribute_strategy", lambda model: strategy)
    monkeypatch.setattr(_internals, "is_multi_worker", lambda strategy: True)
    assert distribute.is_chief(model) == (task == 0)


def test_strategy_none_is_one_device():
    strategy = distribute.strategy()
    assert strategy.num_replicas_in_sync == 1
    with strategy.scope():
        assert distribute.num_replicas() == 1
        assert not tf.distribute.has_strategy()


def test_strategy_mirrored_has_a_replica_on_each_device():
    strategy = distribute.strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    accelerators = tf.config.list_logical_devices("GPU")
    assert strategy.num_replicas_in_sync == (len(accelerators) or 4)


def test_strategy_rejects_an_unknown_name():
    with pytest.raises(
        ValueError, match=r"`name` must be a strategy, one of .*'mirrored'.* received 'ddp'"
    ):
        distribute.strategy("ddp")


def test_strategy_mirrored_on_jax_raises_and_suggests_data_parallel(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"KERAS_BACKEND is 'jax'.*DataParallel"):
        distribute.strategy("mirrored")
    assert distribute.strategy("none").num_replicas_in_sync == 1
    assert distribute.num_replicas() == 1


@pytest.mark.slow
def test_training_with_one_replica_equals_training_on_one_device(float64):
    expected = checks.numbers_of("SimCLR")
    for strategy in (
        tf.distribute.MirroredStrategy(["CPU:0"]),
        tf.distribute.OneDeviceStrategy("CPU:0"),
    ):
        with strategy.scope():
            numbers = checks.numbers_of("SimCLR")
        checks.assert_equal(numbers, expected)
