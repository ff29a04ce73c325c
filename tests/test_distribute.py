import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import distribute

ROWS = np.random.default_rng(0).normal(size=(6, 4))
WEIGHTS = np.random.default_rng(1).normal(size=(6, 4))


def on_each(strategy, function, values):
    """Results of `function(own part of values)` on each replica, one after the other."""
    parts = np.split(values, strategy.num_replicas_in_sync)

    def own(context):
        return tf.constant(parts[context.replica_id_in_sync_group])

    distributed = strategy.experimental_distribute_values_from_function(own)
    results = tf.function(lambda: strategy.run(function, args=(distributed,)))()
    return strategy.experimental_local_results(results)


def test_gather_gives_every_replicas_rows_in_order_to_all_replicas(replicas):
    for gathered in on_each(replicas, distribute.all_gather, ROWS):
        np.testing.assert_array_equal(gathered, ROWS)


def test_gather_passes_gradients_to_the_replicas_whose_rows_they_are_of(replicas):
    def gradient(rows):
        with tf.GradientTape() as tape:
            tape.watch(rows)
            gathered = distribute.all_gather(rows)
            # Rows of different replicas meet, as they do in a contrast.
            loss = tf.reduce_sum(WEIGHTS * gathered) * tf.reduce_sum(gathered**2)
            loss = loss / distribute.num_replicas()
        return tape.gradient(loss, rows)

    # By the product rule, of the whole batch.
    expected = WEIGHTS * np.sum(ROWS**2) + 2 * ROWS * np.sum(WEIGHTS * ROWS)
    found = np.concatenate(on_each(replicas, gradient, ROWS))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_gather_is_nothing_on_one_device():
    rows = keras.ops.convert_to_tensor(ROWS)
    assert distribute.all_gather(rows) is rows


def test_replicas_are_counted_inside_a_step_only(replicas):
    assert distribute.num_replicas() == 1
    with replicas.scope():
        assert distribute.num_replicas() == 1
    counts = on_each(replicas, lambda rows: distribute.num_replicas() + 0 * rows[0, 0], ROWS)
    assert [float(count) for count in counts] == [2, 2]


def test_a_model_knows_the_replicas_that_it_was_made_for(replicas):
    model = checks.make("SimCLR")
    assert not distribute.has_strategy(model)
    assert distribute.num_replicas_of(model) == 1
    distribute.check_same_strategy(model, keras.optimizers.SGD())
    with distribute.strategy_scope(model):
        assert not tf.distribute.has_strategy()

    with replicas.scope():
        model, inside = checks.make("SimCLR"), keras.optimizers.SGD()
    assert distribute.has_strategy(model)
    assert distribute.num_replicas_of(model) == 2
    with distribute.strategy_scope(model):
        assert tf.distribute.get_strategy() is replicas
    distribute.check_same_strategy(model, inside)
    with pytest.raises(ValueError, match="`optimizer` was made outside the scope"):
        distribute.check_same_strategy(model, keras.optimizers.SGD())


def test_strategy_none_is_one_device():
    strategy = distribute.strategy()
    assert strategy.num_replicas_in_sync == 1
    with strategy.scope():
        assert distribute.num_replicas() == 1
        assert not tf.distribute.has_strategy()


def test_strategy_mirrored_has_a_replica_on_each_of_the_four_devices():
    strategy = distribute.strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    accelerators = tf.config.list_logical_devices("GPU")
    assert strategy.num_replicas_in_sync == (len(accelerators) or 4)


def test_names_a_bad_strategy():
    with pytest.raises(
        ValueError, match=r"`name` of a strategy must be one of .*'mirrored'.* received 'ddp'"
    ):
        distribute.strategy("ddp")


def test_strategy_says_what_to_call_on_jax(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"KERAS_BACKEND is 'jax'.*DataParallel"):
        distribute.strategy("mirrored")
    assert distribute.strategy("none").num_replicas_in_sync == 1
    assert distribute.num_replicas() == 1


def test_a_strategy_of_one_replica_trains_as_one_device(float64):
    expected = checks.numbers_of("SimCLR")
    for strategy in (
        tf.distribute.MirroredStrategy(["CPU:0"]),
        tf.distribute.OneDeviceStrategy("CPU:0"),
    ):
        with strategy.scope():
            found = checks.numbers_of("SimCLR")
        checks.assert_equal(found, expected)
