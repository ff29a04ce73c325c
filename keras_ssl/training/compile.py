"""Checks of the arguments of `compile`."""

from keras_ssl import distribute


def check_compile_arguments(model, arguments):
    """Raises ValueError for an argument of `keras.Model.compile` that would have no effect.

    Args:
        model: The method, whose `unsupported_compile_args` maps names to reasons.
        arguments: Dict of what `compile` received.
    """
    for name, reason in model.unsupported_compile_args.items():
        value = arguments.get(name)
        if value is not None:
            raise ValueError(
                f"`{name}` is not supported by {type(model).__name__}.compile: {reason}. Received "
                f"{value!r}."
            )


def check_strategy_support(model, optimizer, jit_compile, views_on):
    """Raises ValueError for what does not work under the `tf.distribute` strategy of a model."""
    if not distribute.has_strategy(model):
        return
    if jit_compile is True:
        raise ValueError(
            "`jit_compile=True` does not work under a tf.distribute strategy: XLA cannot compile "
            "the communication between replicas. Use 'auto' or False."
        )
    if views_on == "device":
        raise ValueError(
            '`views_on="device"` does not work under a tf.distribute strategy: a replica would '
            'draw for its part of a batch what belongs to the whole. Use "host".'
        )
    if optimizer.gradient_accumulation_steps:
        raise ValueError(
            "`gradient_accumulation_steps` does not work under a tf.distribute strategy: Keras "
            "cannot trace it there. Use larger batches, or one device."
        )
    distribute.check_same_strategy(model, optimizer)
