"""The state of a method beside the weights it trains: steps, queues, centers."""

import keras
from keras import ops

from keras_ssl.layers import ema

_RANDOM = "random_"  # and a number: their names among saved variables


class StateMixin:
    """State in non-trainable weights: saved with the model, equal on all replicas."""

    def add_state(self, name, shape, initial=0.0, dtype=None):
        """Adds a weight that no optimizer moves.

        Args:
            name: String.
            shape: Tuple of ints.
            initial: Number, or array of that shape.
            dtype: String; None for Keras's `floatx`, float32 under every precision policy.

        Returns:
            The weight.
        """
        dtype = dtype or keras.config.floatx()
        weight = self.add_weight(shape, "zeros", dtype=dtype, trainable=False, name=name)
        weight.assign(ops.broadcast_to(ops.cast(initial, weight.dtype), shape))
        return weight

    def assign_state(self, weight, value):
        """Gives state a new value inside `compute_losses`, when training.

        Where gradients accumulate over several batches, it moves with the optimizer's step only.
        """
        every = self.gradient_accumulation_steps
        if every:
            is_last = ops.equal((self._inner_optimizer._iterations + 1) % every, 0)
            value = ops.where(is_last, value, ops.convert_to_tensor(weight))
        weight.assign(value)

    def update_running_mean(self, weight, value, momentum):
        """Moves state as a running mean inside `compute_losses`, when training.

        Args:
            weight: What `add_state` returned.
            value: Tensor, what the mean is of.
            momentum: Float in 0..1, how much of the mean stays.

        Returns:
            The new mean.
        """
        mean = momentum * weight + (1.0 - momentum) * ops.cast(value, weight.dtype)
        self.assign_state(weight, mean)
        return mean

    def save_own_variables(self, store):
        """As in Keras, with the state of random layers, which Keras leaves out."""
        super().save_own_variables(store)
        for index, state in enumerate(self._random_states()):
            store[f"{_RANDOM}{index}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        """As in Keras, with the state of random layers where there is one."""
        names = list(store.keys())
        stored = {name: store[name] for name in names}
        states = {name: stored.pop(name) for name in list(stored) if name.startswith(_RANDOM)}
        super().load_own_variables(stored)
        for index, state in enumerate(self._random_states()):
            if f"{_RANDOM}{index}" in states:
                state.assign(states[f"{_RANDOM}{index}"])

    def _random_states(self):
        """Where dropout and the like are in their sequences of numbers."""
        weights = {id(weight) for weight in self.weights}
        return [each for each in self.variables if id(each) not in weights]

    def add_ema_copies(self, *heads):
        """Copies the encoder, the projector and other heads to `momentum_<name>`."""
        for name in ("encoder", "projector", *heads):
            setattr(self, f"momentum_{name}", ema.make_ema_copy(getattr(self, name)))

    @property
    def trainable(self):
        """As in Keras; setting it leaves the momentum copies frozen."""
        return super().trainable

    @trainable.setter
    def trainable(self, value):
        keras.Model.trainable.fset(self, value)
        for name in vars(self):
            if name.startswith(("momentum_", "ema_")) and isinstance(
                getattr(self, name), keras.Layer
            ):
                ema.freeze(getattr(self, name))

    def update_ema_copies(self, *heads):
        """Moves the copies towards what they were made of, by `self.momentum`."""
        keep = self.current_value(self.momentum)
        for name in ("encoder", "projector", *heads):
            ema.ema_update(getattr(self, f"momentum_{name}"), getattr(self, name), keep)

    def current_value(self, value):
        """Returns a number as it is, and a Keras schedule at the optimizer's step."""
        if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
            return ops.cast(value(self.step), keras.config.floatx())
        return value

    @property
    def gradient_accumulation_steps(self):
        """Batches whose gradients make one optimizer step; None where each makes its own."""
        return self._inner_optimizer.gradient_accumulation_steps

    @property
    def _inner_optimizer(self):
        return getattr(self.optimizer, "inner_optimizer", self.optimizer)  # of loss scaling
