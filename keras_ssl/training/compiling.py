"""What `compile` takes and refuses, and how it comes back with a saved model."""

import keras
from keras import ops

from keras_ssl import distribute
from keras_ssl.validation import check_int


class CompileMixin:
    """`compile` of a `keras.Model` whose loss is its own."""

    unsupported_compile_args = {}  # arguments of `compile` that would silently do nothing, and why

    def compile(
        self,
        optimizer="sgd",
        loss=None,
        metrics=None,
        jit_compile="auto",
        microbatches=1,
        **kwargs,
    ):
        """Configures training, as `keras.Model.compile`; the loss is the method's own.

        Args:
            optimizer: As in Keras, like the other arguments that are not named here.
            loss: None.
            metrics: As in Keras, for methods with labels.
            jit_compile: As in Keras.
            microbatches: Int >= 1, in how many pieces a batch passes the networks in training, so that
                memory is that of one piece; it must divide the batch of each device. The loss and
                its gradient are still those of the whole batch: pieces pass once for their features
                and again, one by one, for their gradient, which takes a third more time. Batch norm
                in a network sees a piece at a time; in the heads it sees the whole batch.

        Raises:
            TypeError: If `microbatches` is not an int.
            ValueError: If a loss is given, metrics without targets to compare with, `microbatches` below
                1 or above where the method has no use for it; under a `tf.distribute` strategy, if
                `jit_compile=True`, gradients are accumulated or the optimizer was made outside the
                strategy's scope.
        """
        check_int(1, microbatches=microbatches)
        self._refuse(
            loss=loss,
            metrics=metrics,
            microbatches=None if microbatches == 1 else microbatches,
            **kwargs,
        )
        self.microbatches = microbatches
        replicas = distribute.has_strategy(self)
        if replicas and jit_compile is True:
            raise ValueError(
                "`jit_compile=True` does not work under a tf.distribute strategy: XLA cannot "
                "compile the exchange between replicas. Leave it at 'auto' or pass False."
            )
        with distribute.strategy_scope(self):
            optimizer = keras.optimizers.get(optimizer)
            if replicas and optimizer.gradient_accumulation_steps:
                raise ValueError(
                    "`gradient_accumulation_steps` does not work under a tf.distribute strategy: "
                    "Keras cannot trace it there. Use larger batches, or one device."
                )
            distribute.check_same_strategy(self, optimizer)
            super().compile(optimizer, metrics=metrics, jit_compile=jit_compile, **kwargs)
        if replicas:
            self.jit_compile = False
        self.step.assign(int(ops.convert_to_numpy(optimizer.iterations)))

    def get_compile_config(self):
        """As in Keras, with `microbatches`."""
        config = super().get_compile_config()
        return {**config, "microbatches": self.microbatches} if config else config

    def compile_from_config(self, config):
        """Compiles as the saved model was compiled, optimizer state included."""
        with distribute.strategy_scope(self):
            self.compile(**keras.saving.deserialize_keras_object(config))
            self.optimizer.build(self.trainable_variables)

    def _refuse(self, **arguments):
        """Raises for an argument of `keras.Model.compile` that would silently do nothing."""
        for name, reason in self.unsupported_compile_args.items():
            if arguments.get(name) is not None:
                raise ValueError(
                    f"{type(self).__name__}.compile(optimizer) takes no `{name}`: {reason}. "
                    f"Received {arguments[name]!r}."
                )
