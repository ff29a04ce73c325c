"""The training step on JAX."""

import keras
import lazy_loader
from keras import ops

from keras_ssl.training.step import batch_norm, context
from keras_ssl.training.step.base import Step

jax = lazy_loader.load("jax")


class JaxStep(Step):
    """Called by Keras's JAX trainer."""

    def train(self, state, data):
        """Updates weights and state by one batch; returns the logs and the new state."""
        model = self.model
        trainable, other, optimizer, metrics = state
        batch = model.unpack_batch(data)

        def objective(trainable, other):
            with (
                batch_norm.training_batch_norm(model),
                context.training_step(None),
                self._stateless(trainable, other, optimizer) as scope,
            ):
                losses = self.add_regularization(model.compute_losses(batch, training=True))
                scaled = model.optimizer.scale_loss(losses["loss"])
            return scaled, (losses, _values(scope, model.non_trainable_variables, other))

        value_and_gradient = jax.value_and_grad(objective, has_aux=True)
        before = (trainable, other, optimizer)
        (_, (losses, other)), gradients = value_and_gradient(trainable, other)
        losses = self.poison_loss_if_nonfinite(losses, gradients)
        with self._stateless(trainable, other):
            gradients = self.mask_frozen_gradients(gradients)
        trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)

        with self._stateless(trainable, other, optimizer) as scope:
            self.end()
        trainable = _values(scope, model.trainable_variables, trainable)
        other = _values(scope, model.non_trainable_variables, other)
        total = model.tracker("loss").total
        index = [id(v) for v in model.metrics_variables].index(id(total))
        was_finite = ops.isfinite(metrics[index])
        is_finite = ops.isfinite(losses["loss"]) & was_finite
        new_state = jax.tree.map(
            lambda new, old: ops.where(is_finite, new, old), (trainable, other, optimizer), before
        )
        logs, metrics = self._stateless_log(losses, batch, metrics)
        return logs, (*new_state, metrics)

    def test(self, state, data):
        """Returns the logs of one batch and the state."""
        model = self.model
        trainable, other, metrics = state
        batch = model.unpack_batch(data)
        with self._stateless(trainable, other):
            losses = self.add_regularization(model.compute_losses(batch, training=False))
        logs, metrics = self._stateless_log(losses, batch, metrics)
        return logs, (trainable, other, metrics)

    def loss_names(self, data):
        """Traces the losses without running them and returns their names."""
        model = self.model
        names = []  # in the method's order: JAX would return a sorted dict

        def trace(trainable, other, data):
            with self._stateless(trainable, other):
                names.extend(model.compute_losses(model.unpack_batch(data), training=False))

        trainable = [variable.value for variable in model.trainable_variables]
        other = [variable.value for variable in model.non_trainable_variables]
        jax.eval_shape(trace, trainable, other, data)
        return names

    def run_if(self, condition, function):
        """Calls `function`, which assigns variables, if `condition` is true."""
        model = self.model
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        variables += model.optimizer.variables

        def run(values):
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                function()
            return _values(scope, variables, values)

        values = [ops.convert_to_tensor(variable) for variable in variables]
        values = jax.lax.cond(condition, run, lambda values: values, values)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def forward_in_microbatches(self, network, inputs):
        """Returns the outputs `(B, D)` of a network without storing its activations.

        For the gradient each microbatch runs again, with the dropout masks of the first pass.
        """
        weights, states = network.trainable_variables, network.non_trainable_variables
        values = [weight.value for weight in weights]

        @jax.checkpoint
        def forward(states, microbatch):
            outputs, states, losses = network.stateless_call(
                values, states, microbatch, training=True, return_losses=True
            )
            self.reject_activity_losses(network, losses)
            return states, outputs

        microbatches = [
            self.take_microbatch(inputs, index) for index in range(self.model.microbatches)
        ]
        start = [state.value for state in states]
        new_states, outputs = jax.lax.scan(forward, start, ops.stack(microbatches))
        for state, value in zip(states, new_states, strict=True):
            state.assign(value)
        return self.join_microbatches(outputs)

    def _stateless(self, trainable, other, optimizer=()):
        model = self.model
        mapping = list(zip(model.trainable_variables, trainable, strict=True))
        mapping += zip(model.non_trainable_variables, other, strict=True)
        if optimizer:
            mapping += zip(model.optimizer.variables, optimizer, strict=True)
        return keras.StatelessScope(state_mapping=mapping, collect_losses=True)

    def _stateless_log(self, losses, batch, metrics):
        variables = self.model.metrics_variables
        mapping = list(zip(variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            logs = self.log(losses, batch)
        return logs, _values(scope, variables, metrics)


def _values(scope, variables, before):
    """Returns the value of each variable at the end of a stateless scope."""
    after = [scope.get_current_value(variable) for variable in variables]
    return [old if new is None else new for new, old in zip(after, before, strict=True)]
