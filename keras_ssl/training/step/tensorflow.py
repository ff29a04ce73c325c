"""The steps on TensorFlow."""

import keras
import lazy_loader

from keras_ssl import distribute
from keras_ssl.training.step import batch_norm, context
from keras_ssl.training.step.base import SharedStep
from keras_ssl.training.step.nan_guard import NON_FINITE

tf = lazy_loader.load("tensorflow")


class TensorFlowStep(SharedStep):
    """What Keras's trainer of TensorFlow calls."""

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Does nothing: all is built. Keras's own averages the parts that replicas have of the
        first batch, which may differ in size.
        """

    def train_step(self, data):
        """Moves weights and state by one batch; returns logs."""
        batch = self.unpack_batch(data)
        states = () if tf.distribute.has_strategy() else self.non_trainable_variables
        before = [tf.identity(state.value) for state in states]
        # Momentum copies are variables of TensorFlow like any other: nothing of them is recorded.
        recorder = tf.GradientTape(watch_accessed_variables=False)
        with (
            recorder as tape,
            batch_norm.training_batch_norm(self),
            context.training_step(tape) as passes,
        ):
            tape.watch([variable.value for variable in self.trainable_variables])
            losses = self._add_regularization(self.compute_losses(batch, training=True))
            # Gradients are summed over replicas, of which each holds the mean of its share or
            # the loss of the whole batch.
            scaled = self.optimizer.scale_loss(losses["loss"] / distribute.num_replicas())
        outputs = [each.outputs for each in passes]
        gradients, of_outputs = tape.gradient(scaled, (self.trainable_variables, outputs))
        with batch_norm.training_batch_norm(self):
            for each, gradient in zip(passes, of_outputs, strict=True):
                if gradient is not None:
                    gradients = self._add_recorded_gradients(gradients, each, gradient)
        losses = self._poison_loss_if_nonfinite(losses, gradients)
        self._move_if_finite(
            losses["loss"], self._mask_frozen_gradients(self._sync_overflow(gradients)), before
        )
        return distribute.expand_logs(self._log(losses, batch))

    def _move_if_finite(self, loss, gradients, before):
        """Moves weights and state; where the loss is no number it takes the state back instead.

        Nothing moves after it either, until Keras begins another epoch. Under a strategy, whose
        exchange has no place in a branch, the step raises instead, and what passing forward has
        moved (statistics, queues) stays moved.
        """
        is_finite = tf.math.is_finite(loss)

        def move():
            self.optimizer.apply(gradients, self.trainable_variables)
            self._after_step()

        def take_back():
            for state, value in zip(self.non_trainable_variables, before, strict=True):
                state.assign(value)

        if not tf.distribute.has_strategy():
            none_before = tf.math.is_finite(self._loss_tracker.total)
            tf.cond(is_finite & none_before, move, take_back)
            return
        with tf.control_dependencies([tf.debugging.Assert(is_finite, [NON_FINITE])]):
            move()

    def test_step(self, data):
        """Returns logs of one batch."""
        batch = self.unpack_batch(data)
        losses = self._add_regularization(self.compute_losses(batch, training=False))
        return distribute.expand_logs(self._log(losses, batch))

    def _loss_names(self, data):
        """Traces the losses once, without running them, and returns their names."""
        trace = tf.function(lambda batch: self.compute_losses(batch, training=False))
        return list(trace.get_concrete_function(self.unpack_batch(data)).structured_outputs)

    def _in_microbatches(self, network, images):
        """Outputs `(B, D)` of images that pass in pieces; nothing of it is kept.

        Their gradient is found once that of the outputs is known, by `_with_pass`.
        """
        states = network.non_trainable_variables
        before = [tf.identity(state.value) for state in states]
        kind = network.compute_output_spec(keras.KerasTensor(images.shape, images.dtype))
        start = tf.TensorArray(kind.dtype, self.microbatches, element_shape=(None, *kind.shape[1:]))

        def pass_on(index, found):
            outputs = network(self._microbatch(images, index), training=True)
            self._reject_activity_losses(network, network.losses)
            return (found.write(index, outputs),)

        with context._local.tape.stop_recording():
            (found,) = _repeat(self.microbatches, pass_on, (start,))
            outputs = self._join_microbatches(found.stack())
        if network.trainable_variables:
            context._local.tape.watch(outputs)
            context._local.passes.append(context.RecordedForward(network, images, before, outputs))
        return outputs

    def _add_recorded_gradients(self, gradients, passed, of_outputs):
        """Adds to the gradients of all weights what comes through outputs found in pieces.

        Each piece passes again, now on a tape, with dropout as it was.
        """
        states = passed.network.non_trainable_variables
        after = [tf.identity(state.value) for state in states]
        for state, value in zip(states, passed.before, strict=True):
            state.assign(value)
        weights = passed.network.trainable_variables
        values = [weight.value for weight in weights]

        def pass_again(index, *found):
            piece, of_piece = (self._microbatch(x, index) for x in (passed.images, of_outputs))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                outputs = passed.network(piece, training=True)
            zero = tf.UnconnectedGradients.ZERO
            new = tape.gradient(
                outputs, values, tf.cast(of_piece, outputs.dtype), unconnected_gradients=zero
            )
            return tuple(map(_sum, found, new))

        zeros = tuple(tf.zeros_like(value) for value in values)
        found = _repeat(self.microbatches, pass_again, zeros)
        for state, value in zip(states, after, strict=True):
            state.assign(value)
        found = {id(weight): gradient for weight, gradient in zip(weights, found, strict=True)}
        return [
            _sum(gradient, found.get(id(weight)))
            for weight, gradient in zip(self.trainable_variables, gradients, strict=True)
        ]


def _repeat(count, body, values):
    """Calls `body(index, *values)`, which returns new values, again and again, one after another.

    In a loop, whose graph is that of one call; unrolled under a strategy, whose exchange TensorFlow
    does not do in loops.
    """
    if tf.distribute.has_strategy():
        for index in range(count):
            with tf.control_dependencies([getattr(value, "flow", value) for value in values]):
                values = body(index, *values)
        return values

    def next_of(index, *values):
        return (index + 1, *body(index, *values))

    start = (tf.constant(0), *values)
    looped = tf.while_loop(lambda index, *_: index < count, next_of, start, parallel_iterations=1)
    return looped[1:]


def _sum(one, other):
    """Sum of two gradients, either of which may be None, or sparse as those of embeddings."""
    if one is None or other is None:
        return other if one is None else one
    return tf.convert_to_tensor(one) + tf.convert_to_tensor(other)
