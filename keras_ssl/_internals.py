"""Private names of Keras and TensorFlow: the only module that touches them.

Each function says why the public API is not enough. `tests/test_internals.py` fails with the name
of the function when a new release of Keras or TensorFlow moves one of them.
"""

import contextlib
import functools
import importlib
import types

import keras


def iter_layers(model):
    """Yields a layer or model and all of its layers, nested ones included.

    `keras.Model.layers` lists the direct children only.
    """
    yield from model._flatten_layers()


def without_shared_object_ids(config):
    """Returns the config of a layer without the ids by which Keras recognizes shared objects.

    While Keras loads a file, `from_config` returns the same object for the same id. A copy that is
    made from a config at that time would then share its layers with the original.
    """
    if isinstance(config, dict):
        return {
            key: without_shared_object_ids(value)
            for key, value in config.items()
            if key != "shared_object_id"
        }
    if isinstance(config, (list, tuple)):
        return type(config)(without_shared_object_ids(value) for value in config)
    return config


def distribute_strategy(model):
    """Returns the `tf.distribute` strategy that a model was created under, or None.

    `keras.Model.distribute_strategy` is public, but returns the default strategy for None and is
    missing on JAX.
    """
    return getattr(model, "_distribute_strategy", None)


def optimizer_strategy(optimizer):
    """Returns the `tf.distribute` strategy that an optimizer was created under.

    Keras stores it without a public accessor. On JAX the result is None.
    """
    return getattr(optimizer, "_distribution_strategy", None)


def is_multi_worker(strategy):
    """Returns whether a `tf.distribute` strategy spans several processes.

    The public `tf.distribute` API has no such predicate.
    """
    return strategy is not None and strategy.extended._in_multi_worker_mode()


def micro_iterations(optimizer):
    """Returns the variable that counts batches, also under gradient accumulation.

    The public `optimizer.iterations` counts optimizer steps only.
    """
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def dataset_parents(dataset):
    """Returns the `tf.data` datasets that a dataset is made from.

    `tf.data` has no public way to walk a pipeline.
    """
    return dataset._inputs()


def variable_index(optimizer, variable):
    """Returns the position of a variable among those of an optimizer.

    `update_step` receives the variable and not its position.
    """
    return optimizer._get_variable_index(variable)


def uses_weight_decay(optimizer, variable):
    """Returns False for variables that `exclude_from_weight_decay` names, True for all others.

    `exclude_from_weight_decay` is public, but what it stores is not.
    """
    return optimizer._use_weight_decay(variable)


class CustomWeightDecay:
    """Mixin for optimizers whose `update_step` applies `self.weight_decay`.

    `keras.optimizers.Optimizer` has no public way to turn off its own decoupled weight decay but
    `weight_decay=None`, which would remove the value from the optimizer and its config.
    """

    def _apply_weight_decay(self, variables):
        """Does nothing, in place of Keras's decay."""


def loss_tracker(model):
    """Returns the `keras.metrics.Mean` of the loss that `compile` creates.

    `keras.Model.metrics` lists it without saying which one it is.
    """
    return model._loss_tracker


def compile_metrics(model):
    """Returns the metrics given to `compile`, or None.

    `keras.Model.metrics` mixes them with all other metrics.
    """
    return model._compile_metrics


def without_symbolic_build(cls):
    """Class decorator: makes `fit` skip the symbolic build of a model that builds itself.

    On TensorFlow, Keras builds a model from the average of the replicas' first batches, whose
    sizes may differ.
    """
    if keras.backend.backend() == "tensorflow":
        if not hasattr(cls, "_maybe_symbolic_build"):
            raise AttributeError("Keras has renamed `_maybe_symbolic_build`: update keras_ssl.")
        cls._maybe_symbolic_build = lambda self, *args, **kwargs: None
    return cls


def unwrap_batching(dataset):
    """Returns `(unbatched dataset, batch size)` of a dataset made by `batch`, else None.

    TensorFlow 2.21 has no public accessor, and the element spec of a dataset whose last batch may
    be smaller does not hold the batch size.
    """
    if not hasattr(dataset, "_batch_size"):
        return None
    return dataset._input_dataset, int(dataset._batch_size)


def tensorflow_generators(generator):
    """Returns attributes that make a preprocessing layer of Keras draw from `generator`.

    If the Keras backend is not TensorFlow, these layers keep a private seed generator for use
    inside `tf.data` (Keras 3.15).
    """
    return {"_backend_generators": {"tensorflow": generator}}


@functools.cache
def tensorflow_ops():
    """Returns an object with Keras's operations on tensors of TensorFlow, under any backend.

    `keras.ops` are those of the backend, but tf.data runs functions of TensorFlow only. Keras's
    own layers of preprocessing do the same.
    """
    backend = importlib.import_module("keras.src.backend.tensorflow")
    names = {}
    for module in (backend.math, backend.nn, backend.core, backend.numpy):
        names |= vars(module)
    return types.SimpleNamespace(**names)


def highest_matmul_precision():
    """Returns a context in which JAX multiplies float32 matrices in float32 on every device.

    `keras.ops.matmul` takes no precision, and accelerators round the factors to fewer bits. On
    TensorFlow, whose precision is a setting of the process, the context changes nothing.
    """
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    return importlib.import_module("jax").default_matmul_precision("highest")
