"""Every function of `_internals` still does what its callers need from Keras and TensorFlow."""

import importlib.metadata
import inspect
import tomllib
from pathlib import Path

import jax
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.src.saving.serialization_lib import ObjectSharingScope
from packaging.requirements import Requirement

from keras_ssl import _internals


def nested_model():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="inner_dense")], name="inner")
    return keras.Sequential([keras.Input((3,)), inner, layers.Dense(1, name="dense")], name="outer")


def test_every_function_of_internals_has_a_test():
    for name, member in vars(_internals).items():
        if inspect.getmodule(member) is _internals and not name.startswith("_"):
            assert f"_internals.{name}" in inspect.getsource(inspect.getmodule(nested_model)), name


def test_every_requirement_has_an_upper_bound_that_the_tests_ran_with():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = ("tensorflow", "jax", "hub", "tensorflow-cuda", "jax-cuda")
    for line in [*project["dependencies"], *(line for name in named for line in extras[name])]:
        requirement = Requirement(line)
        if requirement.name == "keras_ssl":  # another extra
            continue
        assert any(bound.operator == "<" for bound in requirement.specifier), line
        assert importlib.metadata.version(requirement.name) in requirement.specifier, line


def test_iter_layers_yields_the_model_and_nested_layers():
    names = {layer.name for layer in _internals.iter_layers(nested_model())}
    assert {"outer", "inner", "inner_dense", "dense"} <= names
    assert [layer.name for layer in _internals.iter_layers(layers.Dense(2, name="one"))] == ["one"]


def test_without_shared_object_ids_removes_the_ids_that_make_keras_share_objects():
    layer = layers.Dense(2)
    with ObjectSharingScope():  # Keras enters it while it saves or loads a model
        configs = [keras.saving.serialize_keras_object(layer) for _ in range(2)]
        first, second = (keras.saving.deserialize_keras_object(config) for config in configs)
        assert first is second
        configs = [_internals.without_shared_object_ids(config) for config in configs]
        first, second = (keras.saving.deserialize_keras_object(config) for config in configs)
        assert first is not second
    nested = {"a": [{"shared_object_id": 1, "b": 2}], "c": ({"shared_object_id": 3},)}
    assert _internals.without_shared_object_ids(nested) == {"a": [{"b": 2}], "c": ({},)}


def test_distribute_strategy_of_replicas_is_that_of_the_scope(replicas):
    assert _internals.distribute_strategy(nested_model()) is None
    assert _internals.distribute_strategy(object()) is None
    with replicas.scope():
        assert _internals.distribute_strategy(nested_model()) is replicas


def test_optimizer_strategy_of_replicas_is_that_of_the_scope(replicas):
    default = tf.distribute.get_strategy()
    assert _internals.optimizer_strategy(keras.optimizers.SGD()) is default
    assert _internals.optimizer_strategy(object()) is None
    with replicas.scope():
        assert _internals.optimizer_strategy(keras.optimizers.SGD()) is replicas


def test_is_multi_worker_is_false_for_replicas_of_one_process(replicas):
    for strategy in (None, replicas, tf.distribute.get_strategy()):
        assert not _internals.is_multi_worker(strategy)


@pytest.mark.parametrize("scaled", [False, True])
def test_micro_iterations_count_batches_under_gradient_accumulation(scaled):
    optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    variable = keras.Variable(np.ones(2, "float32"))
    optimizer.build([variable])
    for _ in range(3):
        optimizer.apply([keras.ops.ones(2)])
    assert int(_internals.micro_iterations(optimizer)) == 3


def test_dataset_parents_are_the_datasets_that_a_dataset_is_made_from():
    first, second = tf.data.Dataset.range(3), tf.data.Dataset.range(4)
    zipped = tf.data.Dataset.zip(first, second)
    parents = _internals.dataset_parents(zipped.batch(2))
    assert len(parents) == 1
    assert parents[0] is zipped
    assert list(_internals.dataset_parents(zipped)) == [first, second]
    assert not _internals.dataset_parents(first)


def test_unwrap_batching_returns_the_unbatched_dataset_and_the_batch_size():
    numbers = tf.data.Dataset.range(6)
    unbatched, size = _internals.unwrap_batching(numbers.batch(4))
    assert unbatched is numbers
    assert size == 4
    assert _internals.unwrap_batching(numbers) is None


def test_variable_index_is_the_position_in_the_optimizers_variables():
    variables = [keras.Variable(np.ones(2, "float32")) for _ in range(3)]
    optimizer = keras.optimizers.SGD()
    optimizer.build(variables)
    assert [_internals.variable_index(optimizer, variable) for variable in variables] == [0, 1, 2]


def test_uses_weight_decay_is_false_for_excluded_variables():
    kernel = keras.Variable(np.ones(2, "float32"), name="kernel")
    bias = keras.Variable(np.ones(2, "float32"), name="bias")
    optimizer = keras.optimizers.SGD(weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    assert _internals.uses_weight_decay(optimizer, kernel)
    assert not _internals.uses_weight_decay(optimizer, bias)


def test_custom_weight_decay_turns_off_keras_decay_and_keeps_the_value():
    class WithoutDecay(_internals.CustomWeightDecay, keras.optimizers.SGD):
        pass

    for optimizer_class, expected in ((keras.optimizers.SGD, 1 - 0.5 * 0.25), (WithoutDecay, 1)):
        optimizer = optimizer_class(0.5, weight_decay=0.25)
        variable = keras.Variable(np.ones(2, "float32"))
        optimizer.apply([keras.ops.zeros(2)], [variable])
        np.testing.assert_allclose(variable, expected, rtol=1e-6)
        assert optimizer.weight_decay == optimizer.get_config()["weight_decay"] == 0.25


def test_loss_tracker_and_compile_metrics_are_what_compile_creates():
    model = nested_model()
    assert _internals.compile_metrics(model) is None
    model.compile("sgd", loss="mse", metrics=["mae"])
    model.fit(np.ones((4, 3)), np.zeros((4, 1)), epochs=1, verbose=0)
    assert _internals.loss_tracker(model).name == "loss"
    loss, mae = model.metrics
    assert loss is _internals.loss_tracker(model)
    assert mae is _internals.compile_metrics(model)


def test_without_symbolic_build_lets_replicas_start_with_batches_of_different_sizes(replicas):
    class Averaging(keras.Model):
        def call(self, x):
            return x

        def train_step(self, data):
            return {"mean": keras.ops.mean(data[0])}

    def fit(model_class):
        with replicas.scope():
            model = model_class()
            model.compile("sgd")
        x = np.ones((3, 2), "float32")  # two rows for one replica, one for the other
        return model.fit(x, x, verbose=0).history["mean"]

    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        fit(Averaging)
    assert fit(_internals.without_symbolic_build(Averaging)) == [1.0]


def test_tensorflow_generators_are_used_in_tf_data_on_other_backends(monkeypatch):
    layer, generator = layers.RandomRotation(0.2), keras.random.SeedGenerator(0)
    vars(layer).update(_internals.tensorflow_generators(generator))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert layer._get_seed_generator("tensorflow") is generator


def test_tensorflow_ops_compute_with_tensors_of_tensorflow():
    ops = _internals.tensorflow_ops()
    numbers = tf.constant([[3.0, 1.0]])
    for name, expected in {"argsort": [[1, 0]], "relu": [[3, 1]], "cast": [[3, 1]]}.items():
        result = getattr(ops, name)(numbers, *(["int32"] if name == "cast" else []))
        assert isinstance(result, tf.Tensor), name
        np.testing.assert_array_equal(result, expected, err_msg=name)


def test_highest_matmul_precision_sets_that_of_jax(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with _internals.highest_matmul_precision():
        assert jax.config.jax_default_matmul_precision == "highest"
