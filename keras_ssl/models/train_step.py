"""The training and test step of every method, once per backend.

A method states its losses in `compute_losses(batch, training)` and moves its own state in
`after_step()`; here they meet gradients, loss scaling, replicas and logs. `StepMixin` is the
class for the backend that Keras runs on.
"""

import contextlib

import keras
import lazy_loader
from keras import ops

from keras_ssl import distribute

tf = lazy_loader.load("tensorflow")
jax = lazy_loader.load("jax")


class _Shared:
    def _total(self, losses):
        """What is minimised: the method's loss plus the regularisers of its layers."""
        return losses["loss"] + sum(ops.cast(x, losses["loss"].dtype) for x in self.losses)

    def _after_step(self):
        """Calls `after_step` once per optimizer step, also under gradient accumulation.

        Schedules are read there at the step that has been made; then the next one begins.
        """
        every = self.accumulated_steps
        if not every:
            self.after_step()
        else:
            variables = self.trainable_variables + self.non_trainable_variables
            before = [ops.copy(variable.value) for variable in variables]
            self.after_step()
            moved = ops.equal(self._inner_optimizer._iterations % every, 0)
            for variable, old in zip(variables, before, strict=True):
                variable.assign(ops.where(moved, variable.value, old))
        # A copy: JAX does not take back one buffer under two names.
        self.step.assign(ops.copy(ops.cast(self.optimizer.iterations, "int32")))

    def _hold(self, gradients):
        """Takes the gradients off layers that a method holds still in its first steps."""
        for layer, first in self.frozen_layers():
            held = {id(variable) for variable in layer.trainable_variables}
            moves = self.step >= first
            gradients = [
                ops.where(moves, gradient, ops.zeros_like(gradient))
                if id(variable) in held
                else gradient
                for variable, gradient in zip(self.trainable_variables, gradients, strict=True)
            ]
        return gradients

    def _log(self, losses, batch):
        """Updates what `fit` shows: means over the images of an epoch, and compiled metrics.

        `losses` may hold a pair of a value and what it weighs in the mean, and under `"outputs"`
        what the compiled metrics compare with the labels of the batch.
        """
        losses = dict(losses)
        outputs = losses.pop("outputs", None)
        logs = {}
        for name, value in losses.items():
            value, weight = value if isinstance(value, tuple) else (value, batch.rows)
            tracker = self._loss_tracker if name == "loss" else self._trackers_by_term.get(name)
            if tracker is not None:
                tracker.update_state(value, sample_weight=weight)
                value = tracker.result()
            logs[name] = value
        if outputs is not None and self._compile_metrics is not None:
            self._compile_metrics.update_state(batch.labels, outputs)
            logs |= self._compile_metrics.result()
        return logs


class _TensorFlowStep(_Shared):
    def _maybe_symbolic_build(self, *args, **kwargs):
        """Does nothing: all is built. Keras's own averages the parts that replicas have of the
        first batch, which may differ in size.
        """

    def train_step(self, data):
        batch = self.read_batch(data)
        # Momentum copies are variables of TensorFlow like any other: nothing of them is recorded.
        recorder = tf.GradientTape(watch_accessed_variables=False)
        with recorder as tape, self._synchronised_batch_norm():
            tape.watch([variable.value for variable in self.trainable_variables])
            losses = self.compute_losses(batch, training=True)
            # Gradients are summed over replicas, of which each holds the mean of its share or
            # the loss of the whole batch.
            scaled = self.optimizer.scale_loss(self._total(losses) / distribute.num_replicas())
        gradients = self._hold(tape.gradient(scaled, self.trainable_variables))
        self.optimizer.apply(gradients, self.trainable_variables)
        self._after_step()
        return self._log(losses, batch)

    def test_step(self, data):
        batch = self.read_batch(data)
        losses = self.compute_losses(batch, training=False)
        return self._log({**losses, "loss": self._total(losses)}, batch)

    def _loss_names(self, data):
        """Traces the losses once, without running them, and returns their names."""
        trace = tf.function(lambda batch: self.compute_losses(batch, training=False))
        return list(trace.get_concrete_function(self.read_batch(data)).structured_outputs)

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


class _JaxStep(_Shared):
    def train_step(self, state, data):
        trainable, other, optimizer, metrics = state
        batch = self.read_batch(data)

        def objective(trainable, other):
            with self._stateless(trainable, other, optimizer) as scope:
                losses = self.compute_losses(batch, training=True)
                scaled = self.optimizer.scale_loss(self._total(losses))
            return scaled, (losses, _values(scope, self.non_trainable_variables, other))

        gradient = jax.value_and_grad(objective, has_aux=True)
        (_, (losses, other)), gradients = gradient(trainable, other)
        with self._stateless(trainable, other):
            gradients = self._hold(gradients)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)

        with self._stateless(trainable, other, optimizer) as scope:
            self._after_step()
        trainable = _values(scope, self.trainable_variables, trainable)
        other = _values(scope, self.non_trainable_variables, other)
        logs, metrics = self._stateless_log(losses, batch, metrics)
        return logs, (trainable, other, optimizer, metrics)

    def test_step(self, state, data):
        trainable, other, metrics = state
        batch = self.read_batch(data)
        with self._stateless(trainable, other):
            losses = self.compute_losses(batch, training=False)
            losses = {**losses, "loss": self._total(losses)}
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
        return keras.StatelessScope(state_mapping=mapping)

    def _stateless_log(self, losses, batch, metrics):
        mapping = list(zip(self.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            logs = self._log(losses, batch)
        return logs, _values(scope, self.metrics_variables, metrics)


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
