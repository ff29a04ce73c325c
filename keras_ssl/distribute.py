"""The one place that knows of replicas: what losses over the whole batch need, and strategies."""

import contextlib

import keras
import lazy_loader

tf = lazy_loader.load("tensorflow")

STRATEGIES = ("none", "mirrored")


def num_replicas():
    """Number of replicas that share the current step; 1 outside a step.

    Under JAX it is always 1: arrays there are global, whatever devices hold their parts.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def under_strategy(model):
    """Whether a model was made under a `tf.distribute` strategy."""
    return keras.backend.backend() == "tensorflow" and model._distribute_strategy is not None


def scope_of(model):
    """The scope of the strategy that a model was made under."""
    return model._distribute_strategy.scope() if under_strategy(model) else _NO_SCOPE


def check_same_strategy(model, optimizer):
    """Raises ValueError where an optimizer was not made under the strategy of its model."""
    made_under = getattr(optimizer, "_distribution_strategy", None)
    if under_strategy(model) and made_under is not model._distribute_strategy:
        raise ValueError(
            "`optimizer` was made outside the scope of the model's tf.distribute strategy: make "
            "it, and call compile, inside `with strategy.scope():`."
        )


def replicas_of(model):
    """Into how many parts a batch of this model is divided, on either backend."""
    if keras.backend.backend() == "jax":
        distribution = keras.distribution.distribution()
        return 1 if distribution is None else int(distribution.device_mesh.shape[0])
    return model._distribute_strategy.num_replicas_in_sync if under_strategy(model) else 1


@contextlib.contextmanager
def whole_batches():
    """Under JAX's data parallelism, lets every device see each batch whole while inside.

    Devices cannot share out a batch that their number does not divide, and evaluation and
    prediction drop no image, so that their last batch is of any size.
    """
    distribution = keras.distribution.distribution()
    if keras.backend.backend() != "jax" or distribution is None:
        yield
        return

    def replicated(shape):
        return keras.distribution.TensorLayout([None] * len(shape), distribution.device_mesh)

    distribution.get_data_layout = replicated  # hides the class's method
    try:
        yield
    finally:
        del distribution.get_data_layout


def gather(x):
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
    rows = replica.all_gather(tf.cast(x, tf.float32) if is_bfloat16 else x, axis=0)
    rows = tf.ensure_shape(rows, (None, *x.shape[1:]))  # which the exchange may forget
    return tf.cast(rows, x.dtype)


def strategy(name="none"):
    """Returns the `tf.distribute` strategy of that name.

    Args:
        name: `"none"` (the default strategy) or `"mirrored"` (all visible accelerators; where
            there is none, the CPU devices).

    Raises:
        ValueError: If the name is unknown, or the backend is not TensorFlow.
    """
    if name not in STRATEGIES:
        raise ValueError(f"`strategy` must be one of {STRATEGIES}, received {name!r}.")
    if name == "none":
        return _NoStrategy()
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"`strategy={name!r}` is for the TensorFlow backend, and KERAS_BACKEND is "
            f"{keras.backend.backend()!r}. On JAX call "
            "keras.distribution.set_distribution(keras.distribution.DataParallel()) first."
        )
    accelerators = tf.config.list_logical_devices("GPU") + tf.config.list_logical_devices("TPU")
    devices = accelerators or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


_NO_SCOPE = contextlib.nullcontext()


class _NoStrategy:
    """Stands for one device: a scope that changes nothing."""

    num_replicas_in_sync = 1

    def scope(self):
        return contextlib.nullcontext()
