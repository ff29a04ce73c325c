"""EMA (momentum) copies of a network: the target of BYOL, the key of MoCo, the teacher of DINO."""

import keras
from keras import ops

from keras_ssl import _internals
from keras_ssl._types import Tensor


def make_ema_copy(layer: keras.Layer) -> keras.Layer:
    """Copies a layer or network and freezes the copy.

    The weights are frozen one by one. With `copy.trainable = False`, batch norm would use its
    moving statistics, but the papers' code uses the statistics of the batch. The copy has its own
    moving statistics.

    Args:
        layer: Built keras layer or model with a `get_config()` that `from_config` can rebuild it
            from.

    Returns:
        A built layer of the same class with equal weights, named `"momentum_<name>"`.

    Example:

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        momentum_encoder = keras_ssl.layers.make_ema_copy(encoder)
        keras_ssl.layers.ema_update(momentum_encoder, encoder, momentum=0.99)
    """
    config = _internals.without_shared_object_ids(layer.get_config())
    if "name" in config:  # user classes may have no such argument
        config = {**config, "name": f"momentum_{layer.name}"}
    copy = type(layer).from_config(config)
    if not copy.built or len(copy.weights) != len(layer.weights):
        copy.build_from_config(layer.get_build_config())
    copy.set_weights(layer.get_weights())
    freeze(copy)
    return copy


def freeze(layer: keras.Layer) -> None:
    """Freezes all weights of a layer, one by one.

    Unlike `layer.trainable = False`, this keeps batch norm on the statistics of the batch when
    `training=True`.

    Args:
        layer: Built keras layer or model.

    Example:

        layer = keras.layers.Dense(4)
        layer.build((None, 8))
        keras_ssl.layers.freeze(layer)
        assert layer.trainable and not layer.trainable_weights
    """
    for variable in layer.variables:
        variable.trainable = False


def ema_update(
    copy: keras.Layer,
    layer: keras.Layer,
    momentum: float | Tensor,
    copy_statistics: bool = False,
) -> None:
    """Moves a copy towards its layer: `copy = momentum * copy + (1 - momentum) * layer`.

    Args:
        copy: Layer that `make_ema_copy` returned.
        layer: Layer that it was made from.
        momentum: Scalar in 0..1. At 1 the copy does not change.
        copy_statistics: Bool, whether to copy weights that the optimizer does not train, such as
            the moving statistics of batch norm. Otherwise they do not change.

    Example:

        head = keras_ssl.layers.projection_head((64, 32), input_dim=128)
        copy = keras_ssl.layers.make_ema_copy(head)
        keras_ssl.layers.ema_update(copy, head, momentum=0.996)
    """
    for old, new in zip(copy.weights, layer.weights, strict=True):
        if new.trainable:
            keep = ops.cast(momentum, old.dtype)
            old.assign(keep * old + (1 - keep) * ops.cast(new, old.dtype))
        elif copy_statistics:
            # `ops.copy`: JAX does not accept one donated buffer for two variables.
            old.assign(ops.copy(ops.cast(new, old.dtype)))
