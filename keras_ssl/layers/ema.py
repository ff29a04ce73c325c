"""Momentum copies of a network: what BYOL, MoCo and DINO call the target, key or teacher."""

from keras import ops


def make_ema_copy(layer):
    """Copies a layer or network that no optimizer is to move.

    Its weights are marked one by one: a layer that is not `trainable` as a whole would run its
    batch norm on moving statistics, where the papers' code runs it on those of the batch. The
    copy's moving statistics are its own.

    Args:
        layer: Built keras layer or model whose `get_config` says how to make it anew.

    Returns:
        A built layer of the same class with equal weights, named `"momentum_<name>"`.
    """
    config = _of_its_own(layer.get_config())
    if "name" in config:  # an own class need not take one
        config = {**config, "name": f"momentum_{layer.name}"}
    copy = type(layer).from_config(config)
    if not copy.built or len(copy.weights) != len(layer.weights):
        copy.build_from_config(layer.get_build_config())
    copy.set_weights(layer.get_weights())
    freeze(copy)
    return copy


def _of_its_own(config):
    """A config without the marks by which Keras, while it loads a file, makes one object of two."""
    if isinstance(config, dict):
        kept = {name: part for name, part in config.items() if name != "shared_object_id"}
        return {name: _of_its_own(part) for name, part in kept.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_of_its_own(part) for part in config)
    return config


def freeze(copy):
    """Marks all weights of a copy as not to be trained."""
    for variable in copy.variables:
        variable.trainable = False


def ema_update(copy, layer, momentum, copy_statistics=False):
    """Moves a copy towards its layer: `momentum * copy + (1 - momentum) * layer`.

    Args:
        copy: What `copy_of` returned.
        layer: The layer it was made of.
        momentum: Scalar in 0..1; at 1 the copy stands still.
        copy_statistics: Bool, whether weights that are not trained, such as the statistics of batch
            norm, are copied; else they are left alone.
    """
    for old, new in zip(copy.weights, layer.weights, strict=True):
        if new.trainable:
            keep = ops.cast(momentum, old.dtype)
            old.assign(keep * old + (1 - keep) * ops.cast(new, old.dtype))
        elif copy_statistics:
            # A copy: JAX does not take back one buffer under two names.
            old.assign(ops.copy(ops.cast(new, old.dtype)))
