"""Distribution of training over replicas and workers, on TensorFlow and JAX."""

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Any

import keras
import lazy_loader

from keras_ssl import _internals
from keras_ssl import _tensorflow as tf
from keras_ssl._types import Tensor

jax = lazy_loader.load("jax")

STRATEGIES = ("none", "mirrored", "multiworker", "data_parallel")


def num_replicas() -> int:
    """Returns the number of replicas that share the current step, or 1 outside of a step.

    On JAX it is always 1: arrays are global, on any number of devices.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def has_accelerator() -> bool:
    """Returns whether the backend computes on a GPU or a TPU of this machine by default."""
    return not keras.distribution.list_devices()[0].startswith("cpu")


def has_strategy(model: keras.Model) -> bool:
    """Returns whether a model was created under a `tf.distribute` strategy."""
    return _model_strategy(model) is not None


def strategy_scope(model: keras.Model) -> contextlib.AbstractContextManager:
    """Returns the scope of the strategy that a model was created under."""
    model_strategy = _model_strategy(model)
    return contextlib.nullcontext() if model_strategy is None else model_strategy.scope()


def check_same_strategy(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Raises ValueError if an optimizer was not created under the strategy of its model."""
    model_strategy = _model_strategy(model)
    if model_strategy not in (None, _internals.optimizer_strategy(optimizer)):
        raise ValueError(
            "`optimizer` was created outside the scope of the model's tf.distribute strategy. "
            "Create it, and call compile, inside `with strategy.scope():`."
        )


def num_replicas_of(model: keras.Model) -> int:
    """Returns the number of parts that a batch of this model is divided into, on any backend."""
    if keras.backend.backend() == "jax":
        distribution = keras.distribution.distribution()
        return 1 if distribution is None else int(distribution.device_mesh.shape[0])
    model_strategy = _model_strategy(model)
    return 1 if model_strategy is None else model_strategy.num_replicas_in_sync


@contextlib.contextmanager
def replicate_batches() -> Iterator[None]:
    """Replicates batches instead of sharding them, under JAX's data parallelism.

    JAX cannot shard a batch whose size is not a multiple of the number of devices. Evaluation and
    prediction drop no image, so their last batch can have any size.
    """
    distribution = keras.distribution.distribution()
    if keras.backend.backend() != "jax" or distribution is None:
        yield
        return

    if jax.process_count() > 1:  # each process has all of the data, and computes all of it
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(distribution)
        return

    def replicated_layout(shape):
        return keras.distribution.TensorLayout([None] * len(shape), distribution.device_mesh)

    distribution.get_data_layout = replicated_layout  # shadows the method of the class
    try:
        yield
    finally:
        del distribution.get_data_layout


def all_gather(x: Tensor) -> Tensor:
    """Concatenates the rows of all replicas, in replica order, with gradients to each replica.

    Losses of the whole batch (contrast, correlation, assignment) are computed on the result, which
    is equal on all replicas. The train step divides the loss by the number of replicas.

    Args:
        x: Tensor `(batch of this replica, ...)`.

    Returns:
        Tensor `(batch of all replicas, ...)`. With one replica, `x` itself.
    """
    if num_replicas() == 1:
        return x
    replica = tf.distribute.get_replica_context()
    is_bfloat16 = x.dtype == tf.bfloat16  # TensorFlow's collectives do not support it
    # `tf.identity` places tensors that come directly from the data on a device. Without it, workers
    # raise an error.
    rows = replica.all_gather(tf.cast(x, tf.float32) if is_bfloat16 else tf.identity(x), axis=0)
    rows = tf.ensure_shape(rows, (None, *x.shape[1:]))  # the collective may lose it
    return tf.cast(rows, x.dtype)


def expand_logs(logs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Adds an axis to each number in the logs of a step, if there are several workers.

    With several workers, Keras (up to 3.15 at least) averages logs along an axis and fails for
    scalars. It reduces tensors with one axis to the scalars that it returns for one worker.
    """
    if not _internals.is_multi_worker(tf.distribute.get_strategy()):
        return logs
    return {name: tf.reshape(value, (1,)) for name, value in logs.items()}


def strategy(name: str = "none") -> Any:
    """Returns the strategy of a name. Call this before any other TensorFlow or JAX operation.

        strategy = keras_ssl.distribute.strategy("mirrored")
        with strategy.scope():
            model = keras_ssl.SimCLR(encoder)
            model.compile(keras.optimizers.SGD(0.1))

    Args:
        name: "none" for one device; "mirrored" for all accelerators of this machine, or its CPU
            devices if it has none; "multiworker" for the accelerators of all machines in
            `TF_CONFIG`; on JAX "data_parallel" for all devices, of all processes if
            `jax.distributed` is initialized.

    Returns:
        A `tf.distribute` strategy, or an object with the same `scope()` and
        `num_replicas_in_sync`.

    Raises:
        ValueError: If the name is unknown or belongs to another backend, or if `TF_CONFIG` is
            missing.
    """
    if not isinstance(name, str) or name not in STRATEGIES:
        raise ValueError(f"`name` must be a strategy, one of {STRATEGIES}, received {name!r}.")
    backend = keras.backend.backend()
    if name == "data_parallel" and backend != "jax":
        raise ValueError(
            f"Strategy {name!r} requires the JAX backend, and KERAS_BACKEND is {backend!r}. Use "
            "'mirrored' or 'multiworker'."
        )
    if name in ("mirrored", "multiworker") and backend != "tensorflow":
        raise ValueError(
            f"Strategy {name!r} requires the TensorFlow backend, and KERAS_BACKEND is {backend!r}. "
            "On JAX use 'data_parallel', which is keras.distribution.DataParallel."
        )
    if name == "multiworker" and "TF_CONFIG" not in os.environ:
        raise ValueError(
            "Strategy 'multiworker' requires the environment variable TF_CONFIG (cluster spec and "
            "task index). See the section on several machines in README.md."
        )
    return _strategy(name)


@functools.cache  # one of each per process: TensorFlow mixes up the collectives of several
def _strategy(name):
    if name == "none":
        return _NullStrategy(1)
    if name == "data_parallel":
        distribution = keras.distribution.DataParallel()
        keras.distribution.set_distribution(distribution)
        return _NullStrategy(int(distribution.device_mesh.shape[0]))
    if name == "multiworker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    accelerators = tf.config.list_logical_devices("GPU") + tf.config.list_logical_devices("TPU")
    devices = accelerators or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def has_other_workers(model: keras.Model) -> bool:
    """Returns whether other processes train the same model, each on its part of every batch."""
    if keras.backend.backend() == "jax":
        return keras.distribution.distribution() is not None and jax.process_count() > 1
    return _internals.is_multi_worker(_model_strategy(model))


def shard_by_batch(model: keras.Model, data: Any) -> Any:
    """Makes TensorFlow's workers divide each batch of a dataset by its rows.

    By default TensorFlow may divide the dataset by files, and fails for a dataset with fewer files
    than workers.

    Args:
        model: The method.
        data: Data as Keras's `fit` takes it.

    Returns:
        The dataset with its options set, or `data` itself if it is not a `tf.data.Dataset`.
    """
    if keras.backend.backend() == "jax" or not has_other_workers(model):
        return data
    if not isinstance(data, tf.data.Dataset):
        return data
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def is_chief(model: keras.Model) -> bool:
    """Returns whether this process writes files. With several workers, only the first one does."""
    if not has_other_workers(model):
        return True
    if keras.backend.backend() == "jax":
        return jax.process_index() == 0
    return _model_strategy(model).cluster_resolver.task_id == 0


def _model_strategy(model):
    """Returns the `tf.distribute` strategy of a model, or None."""
    if keras.backend.backend() != "tensorflow":
        return None
    return _internals.distribute_strategy(model)


class _NullStrategy:
    """Strategy of one device, or of devices that are set for the whole process."""

    def __init__(self, num_replicas):
        self.num_replicas_in_sync = num_replicas

    def scope(self):
        return contextlib.nullcontext()
