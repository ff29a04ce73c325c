"""The training step on TensorFlow."""

import keras

from keras_ssl import _tensorflow as tf
from keras_ssl import distribute
from keras_ssl.training.step import batch_norm, context
from keras_ssl.training.step.base import Step
from keras_ssl.training.step.nan_guard import NON_FINITE


class TensorFlowStep(Step):
    """Called by Keras's TensorFlow trainer."""

    def train(self, data):
        """Updates weights and state by one batch and returns the logs.

        The forward pass runs in a stateless scope: queues, centers and batch norm statistics are
        assigned together with the weights, once the loss is known to be finite.
        """
        model = self.model
        batch = model.unpack_batch(data)
        weights = [variable.value for variable in model.trainable_variables]
        # EMA copies are variables of TensorFlow too: record the trainable weights only.
        tape = tf.GradientTape(watch_accessed_variables=False)
        scope = _stateless_scope(model.trainable_variables, weights)
        with (
            tape,
            batch_norm.training_batch_norm(model),
            context.training_step(tape) as forward_passes,
            scope,
        ):
            tape.watch(weights)
            losses = self.add_regularization(model.compute_losses(batch, training=True))
            # Gradients are summed over replicas. Each holds the mean of its share or the loss of
            # the whole batch.
            scaled = model.optimizer.scale_loss(losses["loss"] / distribute.num_replicas())
        outputs = [forward.outputs for forward in forward_passes]
        gradients, output_gradients = tape.gradient(scaled, (weights, outputs))
        with batch_norm.training_batch_norm(model):
            for forward, gradient in zip(forward_passes, output_gradients, strict=True):
                if gradient is not None:
                    gradients = self._add_recorded_gradients(gradients, forward, gradient)
        losses = self.poison_loss_if_nonfinite(losses, gradients)
        gradients = self.mask_frozen_gradients(self.sync_overflow(gradients))
        updates = [
            (state, scope.get_current_value(state)) for state in model.non_trainable_variables
        ]
        updates = [(state, value) for state, value in updates if value is not None]
        self._apply_if_finite(losses["loss"], gradients, updates)
        return distribute.expand_logs(self.log(losses, batch))

    def test(self, data):
        """Returns the logs of one batch."""
        batch = self.model.unpack_batch(data)
        losses = self.add_regularization(self.model.compute_losses(batch, training=False))
        return distribute.expand_logs(self.log(losses, batch))

    def loss_names(self, data):
        """Traces the losses, or runs them if the model runs eagerly; returns their names."""
        model = self.model

        def losses(batch):
            return model.compute_losses(batch, training=False)

        batch = model.unpack_batch(data)
        if model.run_eagerly:
            return list(losses(batch))
        # Keras does not let AutoGraph rewrite its steps either.
        trace = tf.function(losses, autograph=False)
        return list(trace.get_concrete_function(batch).structured_outputs)

    def run_if(self, condition, function):
        """Calls `function`, which assigns variables, if `condition` is true."""

        def run():
            function()

        tf.cond(condition, run, lambda: None)

    def forward_in_microbatches(self, network, inputs):
        """Returns the outputs `(B, D)` of a network without storing its activations.

        `_add_recorded_gradients` computes the gradient once that of the outputs is known.
        """
        weights = [weight.value for weight in network.trainable_variables]
        states = [tf.identity(state.value) for state in network.non_trainable_variables]
        spec = network.compute_output_spec(keras.KerasTensor(inputs.shape, inputs.dtype))
        count = self.model.microbatches
        outputs = tf.TensorArray(spec.dtype, count, element_shape=(None, *spec.shape[1:]))

        def forward(index, outputs, *states):
            microbatch = self.take_microbatch(inputs, index)
            rows, states, losses = _forward(network, weights, states, microbatch)
            self.reject_activity_losses(network, losses)
            return outputs.write(index, rows), *states

        tape = context.current_tape()
        with tape.stop_recording():
            outputs, *new_states = _repeat(count, forward, (outputs, *states))
            outputs = self.join_microbatches(outputs.stack())
        for state, value in zip(network.non_trainable_variables, new_states, strict=True):
            state.assign(value)
        if weights:
            tape.watch(outputs)
            context.record_forward(network, inputs, states, outputs)
        return outputs

    def _add_recorded_gradients(self, gradients, forward, output_gradient):
        """Adds the gradients that reach the weights through outputs of microbatches.

        Each microbatch runs again, now recorded, with the dropout masks of the first pass.
        """
        network = forward.network
        weights = [weight.value for weight in network.trainable_variables]
        num_states = len(forward.states)

        def backward(index, *values):
            states, sums = values[:num_states], values[num_states:]
            microbatch = self.take_microbatch(forward.inputs, index)
            gradient = self.take_microbatch(output_gradient, index)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                outputs, states, _ = _forward(network, weights, states, microbatch)
            zero = tf.UnconnectedGradients.ZERO
            gradient = tf.cast(gradient, outputs.dtype)
            new = tape.gradient(outputs, weights, gradient, unconnected_gradients=zero)
            return *states, *map(_add, sums, new)

        zeros = tuple(tf.zeros_like(weight) for weight in weights)
        sums = _repeat(self.model.microbatches, backward, (*forward.states, *zeros))[num_states:]
        sums = {id(v): x for v, x in zip(network.trainable_variables, sums, strict=True)}
        return [
            _add(gradient, sums.get(id(variable)))
            for variable, gradient in zip(self.model.trainable_variables, gradients, strict=True)
        ]

    def _apply_if_finite(self, loss, gradients, updates):
        """Updates state and weights if the loss is finite, and was in all steps of the epoch.

        Compiled by XLA, both values of each variable are computed and one is selected, because a
        GPU would stop at a branch until the host knows the loss. Under a strategy, whose
        collectives cannot run in a branch, the step raises instead.
        """
        model = self.model
        is_finite = tf.math.is_finite(loss)

        def apply():
            for state, value in updates:
                state.assign(value)
            model.optimizer.apply(gradients, model.trainable_variables)
            self.end()

        if not tf.distribute.has_strategy():
            is_finite &= tf.math.is_finite(model.tracker("loss").total)
            if model.jit_compile:
                variables = [*model.variables, *model.optimizer.variables]
                before = [tf.identity(variable.value) for variable in variables]
                apply()
                for variable, value in zip(variables, before, strict=True):
                    variable.assign(tf.where(is_finite, variable.value, value))
            else:
                self.run_if(is_finite, apply)
            return
        with tf.control_dependencies([tf.debugging.Assert(is_finite, [NON_FINITE])]):
            apply()


def _stateless_scope(variables, values):
    mapping = list(zip(variables, values, strict=True))
    return keras.StatelessScope(state_mapping=mapping, collect_losses=True)


def _forward(network, weights, states, inputs):
    """Returns outputs, new states and losses of a network without assigning anything."""
    variables = network.trainable_variables + network.non_trainable_variables
    with _stateless_scope(variables, [*weights, *states]) as scope:
        outputs = network(inputs, training=True)
        losses = network.losses
    states = tuple(scope.get_current_value(state) for state in network.non_trainable_variables)
    return outputs, states, losses


def _repeat(count, body, values):
    """Calls `body(index, *values)`, which returns new values, `count` times in sequence.

    Uses a loop, whose graph holds the body once. Unrolled under a strategy, because TensorFlow does
    not run collectives in loops.
    """
    if tf.distribute.has_strategy():
        for index in range(count):
            with tf.control_dependencies([getattr(value, "flow", value) for value in values]):
                values = body(index, *values)
        return values

    def next_values(index, *values):
        return (index + 1, *body(index, *values))

    start = (tf.constant(0), *values)
    loop = tf.while_loop(lambda index, *_: index < count, next_values, start, parallel_iterations=1)
    return loop[1:]


def _add(first, second):
    """Returns the sum of two gradients; each may be None, or sparse as those of embeddings."""
    if first is None or second is None:
        return second if first is None else first
    return tf.convert_to_tensor(first) + tf.convert_to_tensor(second)
