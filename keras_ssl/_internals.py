"""Private names of Keras and TensorFlow: the only module that touches them.

Each function says why the public API is not enough. `tests/test_internals.py` fails with the name
of the function when a new release of Keras or TensorFlow moves one of them.
"""

import keras


def iter_layers(model):
    """Yields all layers of a model, nested ones included.

    `keras.Model.layers` lists the direct children only.
    """
    yield from model._flatten_layers()


def distribute_strategy(model):
    """Returns the `tf.distribute` strategy that a model was created under, or None.

    `keras.Model.distribute_strategy` is public, but returns the default strategy for None and is
    missing on JAX.
    """
    return getattr(model, "_distribute_strategy", None)


def optimizer_strategy(optimizer):
    """Returns the `tf.distribute` strategy that an optimizer was created under, or None.

    Keras stores it without a public accessor.
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
    """Returns the `tf.data` datasets that a dataset is made from."""
    return dataset._inputs()


def variable_index(optimizer, variable):
    """Returns the position of a variable among those of an optimizer.

    `update_step` receives the variable and not its position.
    """
    return optimizer._get_variable_index(variable)


def uses_weight_decay(optimizer, variable):
    """Returns whether `exclude_from_weight_decay` leaves a variable to the weight decay."""
    return optimizer._use_weight_decay(variable)


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
