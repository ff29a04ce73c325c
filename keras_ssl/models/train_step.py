"""The training and test step of every method, once per backend.

A method states its losses in `compute_losses(batch, training)` and moves its own state in
`after_step()`; here they meet gradients, loss scaling, replicas and logs. A step whose loss is not
finite moves nothing. `StepMixin` is the class for the backend that Keras runs on.
"""

import contextlib
import threading
from typing import Any, NamedTuple

import keras
import lazy_loader
from keras import ops

from keras_ssl import distribute
from keras_ssl.models.finite import NOT_FINITE
from keras_ssl.models.shared_step import SharedStep

tf = lazy_loader.load("tensorflow")
jax = lazy_loader.load("jax")


_noted = threading.local()  # what belongs to the step being traced; each replica has its thread


class _Pass(NamedTuple):
    """What passed a network in pieces: its state before, what went in, what came out."""

    network: Any
    images: Any
    before: Any
    outputs: Any


@contextlib.contextmanager
def _step(tape):
    """Says that a training step is traced, and yields what passes in pieces while it is."""
    _noted.tape, _noted.passes = tape, []
    try:
        yield _noted.passes
    finally:
        _noted.tape, _noted.passes = None, None


def in_step():
    """Whether a training step is traced: elsewhere batches pass whole."""
    return getattr(_noted, "passes", None) is not None


class _TensorFlowStep(SharedStep):
    def _maybe_symbolic_build(self, *args, **kwargs):
        """Does nothing: all is built. Keras's own averages the parts that replicas have of the
        first batch, which may differ in size.
        """

    def train_step(self, data):
        batch = self.read_batch(data)
        states = () if tf.distribute.has_strategy() else self.non_trainable_variables
        before = [tf.identity(state.value) for state in states]
        # Momentum copies are variables of TensorFlow like any other: nothing of them is recorded.
        recorder = tf.GradientTape(watch_accessed_variables=False)
        with recorder as tape, self._synchronised_batch_norm(), _step(tape) as passes:
            tape.watch([variable.value for variable in self.trainable_variables])
            losses = self._with_total(self.compute_losses(batch, training=True))
            # Gradients are summed over replicas, of which each holds the mean of its share or
            # the loss of the whole batch.
            scaled = self.optimizer.scale_loss(losses["loss"] / distribute.num_replicas())
        outputs = [each.outputs for each in passes]
        gradients, of_outputs = tape.gradient(scaled, (self.trainable_variables, outputs))
        with self._synchronised_batch_norm():
            for each, gradient in zip(passes, of_outputs, strict=True):
                if gradient is not None:
                    gradients = self._with_pass(gradients, each, gradient)
        losses = self._checked(losses, gradients)
        self._move_if_finite(losses["loss"], self._hold(self._agreed(gradients)), before)
        return distribute.logs_to_reduce(self._log(losses, batch))

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
        with tf.control_dependencies([tf.debugging.Assert(is_finite, [NOT_FINITE])]):
            move()

    def test_step(self, data):
        batch = self.read_batch(data)
        losses = self._with_total(self.compute_losses(batch, training=False))
        return distribute.logs_to_reduce(self._log(losses, batch))

    def _loss_names(self, data):
        """Traces the losses once, without running them, and returns their names."""
        trace = tf.function(lambda batch: self.compute_losses(batch, training=False))
        return list(trace.get_concrete_function(self.read_batch(data)).structured_outputs)

    def _in_pieces(self, network, images):
        """Outputs `(B, D)` of images that pass in pieces; nothing of it is kept.

        Their gradient is found once that of the outputs is known, by `_with_pass`.
        """
        states = network.non_trainable_variables
        before = [tf.identity(state.value) for state in states]
        kind = network.compute_output_spec(keras.KerasTensor(images.shape, images.dtype))
        start = tf.TensorArray(kind.dtype, self.pieces, element_shape=(None, *kind.shape[1:]))

        def pass_on(index, found):
            outputs = network(self._piece(images, index), training=True)
            self._refuse_added(network, network.losses)
            return (found.write(index, outputs),)

        with _noted.tape.stop_recording():
            (found,) = _repeat(self.pieces, pass_on, (start,))
            outputs = self._joined(found.stack())
        if network.trainable_variables:
            _noted.tape.watch(outputs)
            _noted.passes.append(_Pass(network, images, before, outputs))
        return outputs

    def _with_pass(self, gradients, passed, of_outputs):
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
            piece, of_piece = (self._piece(x, index) for x in (passed.images, of_outputs))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                outputs = passed.network(piece, training=True)
            zero = tf.UnconnectedGradients.ZERO
            new = tape.gradient(
                outputs, values, tf.cast(of_piece, outputs.dtype), unconnected_gradients=zero
            )
            return tuple(map(_sum, found, new))

        zeros = tuple(tf.zeros_like(value) for value in values)
        found = _repeat(self.pieces, pass_again, zeros)
        for state, value in zip(states, after, strict=True):
            state.assign(value)
        found = {id(weight): gradient for weight, gradient in zip(weights, found, strict=True)}
        return [
            _sum(gradient, found.get(id(weight)))
            for weight, gradient in zip(self.trainable_variables, gradients, strict=True)
        ]

    @contextlib.contextmanager
    def _synchronised_batch_norm(self):
        """Lets batch norm see the whole batch while the step is traced under replicas.

        The switch is set for the time of the trace alone: a config that held it could not be
        loaded on another backend.
        """
        local = []
        if distribute.num_replicas() > 1:
            local = [layer for layer in self.batch_norm_layers() if not layer.synchronized]
        for layer in local:
            layer.synchronized = True
        try:
            yield
        finally:
            for layer in local:
                layer.synchronized = False


class _JaxStep(SharedStep):
    def train_step(self, state, data):
        trainable, other, optimizer, metrics = state
        batch = self.read_batch(data)

        def objective(trainable, other):
            with self._stateless(trainable, other, optimizer) as scope, _step(None):
                losses = self._with_total(self.compute_losses(batch, training=True))
                scaled = self.optimizer.scale_loss(losses["loss"])
            return scaled, (losses, _values(scope, self.non_trainable_variables, other))

        gradient = jax.value_and_grad(objective, has_aux=True)
        before = (trainable, other, optimizer)
        (_, (losses, other)), gradients = gradient(trainable, other)
        losses = self._checked(losses, gradients)
        with self._stateless(trainable, other):
            gradients = self._hold(gradients)
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

    def _in_pieces(self, network, images):
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
            self._refuse_added(network, losses)
            return states, outputs

        pieces = ops.stack([self._piece(images, index) for index in range(self.pieces)])
        after, outputs = jax.lax.scan(pass_on, [state.value for state in states], pieces)
        for state, value in zip(states, after, strict=True):
            state.assign(value)
        return self._joined(outputs)

    def test_step(self, state, data):
        trainable, other, metrics = state
        batch = self.read_batch(data)
        with self._stateless(trainable, other):
            losses = self._with_total(self.compute_losses(batch, training=False))
        logs, metrics = self._stateless_log(losses, batch, metrics)
        return logs, (trainable, other, metrics)

    def _loss_names(self, data):
        """Traces the losses once, without running them, and returns their names."""

        names = []

        def trace(trainable, other, data):
            with self._stateless(trainable, other):
                names.extend(self.compute_losses(self.read_batch(data), training=False))

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


def _values(scope, variables, before):
    """The value of each variable at the end of a stateless scope."""
    now = [scope.get_current_value(variable) for variable in variables]
    return [old if new is None else new for new, old in zip(now, before, strict=True)]


class _NoStep:
    def __init__(self, *args, **kwargs):
        raise ValueError(
            "keras_ssl trains on the TensorFlow and JAX backends, and KERAS_BACKEND is "
            f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax "
            "before Keras is imported."
        )


StepMixin = {"tensorflow": _TensorFlowStep, "jax": _JaxStep}.get(keras.backend.backend(), _NoStep)
