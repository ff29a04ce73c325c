"""The steps on JAX."""

import keras
import lazy_loader
from keras import ops

from keras_ssl.training.step import context
from keras_ssl.training.step.base import SharedStep

jax = lazy_loader.load("jax")


class JaxStep(SharedStep):
    """What Keras's trainer of JAX calls."""

    def train_step(self, state, data):
        """Moves weights and state by one batch; returns logs and the new state."""
        trainable, other, optimizer, metrics = state
        batch = self.unpack_batch(data)

        def objective(trainable, other):
            with self._stateless(trainable, other, optimizer) as scope, context.training_step(None):
                losses = self._add_regularization(self.compute_losses(batch, training=True))
                scaled = self.optimizer.scale_loss(losses["loss"])
            return scaled, (losses, _values(scope, self.non_trainable_variables, other))

        gradient = jax.value_and_grad(objective, has_aux=True)
        before = (trainable, other, optimizer)
        (_, (losses, other)), gradients = gradient(trainable, other)
        losses = self._poison_loss_if_nonfinite(losses, gradients)
        with self._stateless(trainable, other):
            gradients = self._mask_frozen_gradients(gradients)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)

        with self._stateless(trainable, other, optimizer) as scope:
            self._after_step()
        trainable = _values(scope, self.trainable_variables, trainable)
        other = _values(scope, self.non_trainable_variables, other)
        is_finite = ops.isfinite(losses["loss"]) & ops.isfinite(metrics[0])  # and none before it
        moved = jax.tree.map(
            lambda new, old: ops.where(is_finite, new, old), (trainable, other, optimizer), before
        )
        logs, metrics = self._stateless_log(losses, batch, metrics)
        return logs, (*moved, metrics)

    def _in_microbatches(self, network, images):
        """Outputs `(B, D)` of images that pass in pieces; nothing of it is kept.

        For the gradient each piece passes again, with dropout as it was.
        """
        weights, states = network.trainable_variables, network.non_trainable_variables
        values = [weight.value for weight in weights]

        @jax.checkpoint
        def pass_on(states, piece):
            outputs, states, losses = network.stateless_call(
                values, states, piece, training=True, return_losses=True
            )
            self._reject_activity_losses(network, losses)
            return states, outputs

        pieces = ops.stack([self._microbatch(images, index) for index in range(self.microbatches)])
        after, outputs = jax.lax.scan(pass_on, [state.value for state in states], pieces)
        for state, value in zip(states, after, strict=True):
            state.assign(value)
        return self._join_microbatches(outputs)

    def test_step(self, state, data):
        """Returns logs of one batch, and the state."""
        trainable, other, metrics = state
        batch = self.unpack_batch(data)
        with self._stateless(trainable, other):
            losses = self._add_regularization(self.compute_losses(batch, training=False))
        logs, metrics = self._stateless_log(losses, batch, metrics)
        return logs, (trainable, other, metrics)

    def _loss_names(self, data):
        """Traces the losses once, without running them, and returns their names."""

        names = []

        def trace(trainable, other, data):
            with self._stateless(trainable, other):
                names.extend(self.compute_losses(self.unpack_batch(data), training=False))

        values = [[v.value for v in self.trainable_variables]]
        values += [[v.value for v in self.non_trainable_variables]]
        jax.eval_shape(trace, *values, data)
        return names  # in the method's order: JAX would return a dict sorted

    def _stateless(self, trainable, other, optimizer=()):
        mapping = list(zip(self.trainable_variables, trainable, strict=True))
        mapping += zip(self.non_trainable_variables, other, strict=True)
        if optimizer:
            mapping += zip(self.optimizer.variables, optimizer, strict=True)
        return keras.StatelessScope(state_mapping=mapping, collect_losses=True)

    def _stateless_log(self, losses, batch, metrics):
        mapping = list(zip(self.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            logs = self._log(losses, batch)
        return logs, _values(scope, self.metrics_variables, metrics)


def _values(scope, variables, before):
    """The value of each variable at the end of a stateless scope."""
    now = [scope.get_current_value(variable) for variable in variables]
    return [old if new is None else new for new, old in zip(now, before, strict=True)]
