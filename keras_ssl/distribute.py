"""The one place that knows of replicas: what losses over the whole batch need, and strategies."""

import contextlib
import functools
import os

import keras
import lazy_loader

tf = lazy_loader.load("tensorflow")
jax = lazy_loader.load("jax")

STRATEGIES = ("none", "mirrored", "multiworker", "data_parallel")


def num_replicas():
    """Number of replicas that share the current step; 1 outside a step.

    Under JAX it is always 1: arrays there are global, whatever devices hold their parts.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def has_strategy(model):
    """Whether a model was made under a `tf.distribute` strategy."""
    return keras.backend.backend() == "tensorflow" and model._distribute_strategy is not None


def strategy_scope(model):
    """The scope of the strategy that a model was made under."""
    return model._distribute_strategy.scope() if has_strategy(model) else _NO_SCOPE


def check_same_strategy(model, optimizer):
    """Raises ValueError where an optimizer was not made under the strategy of its model."""
    made_under = getattr(optimizer, "_distribution_strategy", None)
    if has_strategy(model) and made_under is not model._distribute_strategy:
        raise ValueError(
            "`optimizer` was made outside the scope of the model's tf.distribute strategy: make "
            "it, and call compile, inside `with strategy.scope():`."
        )


def num_replicas_of(model):
    """Into how many parts a batch of this model is divided, on either backend."""
    if keras.backend.backend() == "jax":
        distribution = keras.distribution.distribution()
        return 1 if distribution is None else int(distribution.device_mesh.shape[0])
    return model._distribute_strategy.num_replicas_in_sync if has_strategy(model) else 1


@contextlib.contextmanager
def replicate_batches():
    """Under JAX's data parallelizm, lets every device see each batch whole while inside.

    Devices cannot share out a batch that their number does not divide, and evaluation and
    prediction drop no image, so that their last batch is of any size.
    """
    distribution = keras.distribution.distribution()
    if keras.backend.backend() != "jax" or distribution is None:
        yield
        return

    if jax.process_count() > 1:  # each has all of the data, and computes all of it
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(distribution)
        return

    def replicated(shape):
        return keras.distribution.TensorLayout([None] * len(shape), distribution.device_mesh)

    distribution.get_data_layout = replicated  # hides the class's method
    try:
        yield
    finally:
        del distribution.get_data_layout


def all_gather(x):
    """Concatenates the rows of all replicas, in replica order, with gradients to each.

    Losses over the whole batch (contrast, correlation, assignment) are computed on its result,
    equally on every replica; the train step divides the loss by the number of replicas.

    Args:
        x: Tensor `(batch of this replica, ...)`.

    Returns:
        Tensor `(batch of all replicas, ...)`; `x` itself where there is one replica.
    """
    if num_replicas() == 1:
        return x
    replica = tf.distribute.get_replica_context()
    is_bfloat16 = x.dtype == tf.bfloat16  # TensorFlow's collectives do not carry it
    # A tensor that comes straight from the data is on no device, and workers then refuse it.
    rows = replica.all_gather(tf.cast(x, tf.float32) if is_bfloat16 else tf.identity(x), axis=0)
    rows = tf.ensure_shape(rows, (None, *x.shape[1:]))  # which the exchange may forget
    return tf.cast(rows, x.dtype)


def expand_logs(logs):
    """Gives each number of a step's logs an axis where Keras takes its mean along one.

    Keras up to 3.15 at least does so with those of several workers, and fails for scalars; from
    tensors with one axis it makes the scalars that it makes elsewhere.
    """
    if not tf.distribute.get_strategy().extended._in_multi_worker_mode():
        return logs
    return {name: tf.reshape(value, (1,)) for name, value in logs.items()}


def strategy(name="none"):
    """Returns the strategy of that name. Ask for it before anything is computed.

    Args:
        name: "none", one device; "mirrored", all accelerators of this machine (where there is none,
            its CPU devices); "multiworker", those of all machines that `TF_CONFIG` names; on JAX
            "data_parallel", all devices, of all processes where `jax.distributed` was set up.

    Returns:
        A `tf.distribute` strategy, or what has a `scope` and `num_replicas_in_sync` like one.

    Raises:
        ValueError: If the name is unknown or not for this backend, or `TF_CONFIG` is missing.
    """
    if not isinstance(name, str) or name not in STRATEGIES:
        raise ValueError(f"`name` of a strategy must be one of {STRATEGIES}, received {name!r}.")
    backend = keras.backend.backend()
    if name == "data_parallel" and backend != "jax":
        raise ValueError(
            f"`strategy={name!r}` is for the JAX backend, and KERAS_BACKEND is {backend!r}: take "
            "'mirrored' or 'multiworker'."
        )
    if name in ("mirrored", "multiworker") and backend != "tensorflow":
        raise ValueError(
            f"`strategy={name!r}` is for the TensorFlow backend, and KERAS_BACKEND is "
            f"{backend!r}: on JAX take 'data_parallel', keras.distribution.DataParallel."
        )
    if name == "multiworker" and "TF_CONFIG" not in os.environ:
        raise ValueError(
            "`strategy='multiworker'` needs the variable TF_CONFIG, which tells each machine of "
            "all of them and which it is: see Several machines in README.md."
        )
    return _strategy(name)


@functools.cache  # a process has one of each: TensorFlow confuses what several exchange
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


def has_other_workers(model):
    """Whether other processes train the same model, each on its part of every batch."""
    if keras.backend.backend() == "jax":
        return keras.distribution.distribution() is not None and jax.process_count() > 1
    if getattr(model, "_distribute_strategy", None) is None:  # no `keras.Model`, perhaps
        return False
    return has_strategy(model) and model._distribute_strategy.extended._in_multi_worker_mode()


def shard_by_batch(model, data):
    """Lets workers of TensorFlow share out each batch of a dataset by its rows.

    Left to itself TensorFlow may give them different files, and fails where it takes a dataset for
    one of fewer files than workers.

    Args:
        model: The method.
        data: What Keras's `fit` takes; what is no `tf.data.Dataset` stays as it is.
    """
    if keras.backend.backend() == "jax" or not has_other_workers(model):
        return data
    if not isinstance(data, tf.data.Dataset):
        return data
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def is_chief(model):
    """Whether this process writes what all workers would write alike: the first of them does."""
    if not has_other_workers(model):
        return True
    if keras.backend.backend() == "jax":
        return jax.process_index() == 0
    return model._distribute_strategy.cluster_resolver.task_id == 0


_NO_SCOPE = contextlib.nullcontext()


class _NullStrategy:
    """Stands for one device, or for what is set for a process as a whole."""

    def __init__(self, replicas):
        self.num_replicas_in_sync = replicas

    def scope(self):
        return contextlib.nullcontext()
