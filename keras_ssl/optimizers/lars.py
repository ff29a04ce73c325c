"""LARS: a step in proportion to each layer's weights."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_ssl")
class LARS(keras.optimizers.Optimizer):
    """Stochastic gradient descent whose step is scaled layer by layer, for large batches.

    With gradient g, decay d and weights w of one layer, the step is

        velocity = momentum * velocity + learning_rate * trust * (g + d * w)
        w = w - velocity

    where `trust = trust_coefficient * |w| / (|g| + d * |w|)`, and 1 where `|w|` or `|g|` is 0. As
    in the paper the velocity holds the learning rate: a change of rate reaches the next step's
    share only, not the steps that momentum carries on. Biases and the weights of normalization
    layers, all variables of rank 0 and 1, get neither decay nor trust ratio: their step is that of
    plain momentum. Rates are larger than those of SGD: 0.3 at a batch of 256 in SimCLR, in
    proportion to the batch.

    Variables named in `exclude_from_weight_decay` keep their trust ratio, without decay.

    Args:
        learning_rate: Float >= 0, or a Keras schedule.
        momentum: Float in 0..1.
        weight_decay: Float >= 0, added to the gradient before the trust ratio.
        trust_coefficient: Float > 0, the paper's eta.
        nesterov: Bool, look ahead along the velocity.
        name: String.
        **kwargs: As in `keras.optimizers.SGD`: clipping, averaging, accumulation, loss scaling.

    Raises:
        ValueError: If a number is out of range.

    Source:
        You et al. 2017, https://arxiv.org/abs/1708.03888, algorithm 1. The exceptions are those of
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix B.6.
    """

    def __init__(
        self,
        learning_rate=0.3,
        momentum=0.9,
        weight_decay=0.0,
        trust_coefficient=0.001,
        nesterov=False,
        name="lars",
        **kwargs,
    ):
        if isinstance(learning_rate, (int, float)):
            learning_rate = float(learning_rate)
            _check(
                0 <= learning_rate < math.inf,
                "learning_rate",
                "a number, at least 0",
                learning_rate,
            )
        for argument, value in (("momentum", momentum), ("weight_decay", weight_decay)):
            _check(
                _is_number(value) and 0 <= value < math.inf, argument, "a number, at least 0", value
            )
        _check(momentum <= 1, "momentum", "a number, at most 1", momentum)
        is_positive = _is_number(trust_coefficient) and 0 < trust_coefficient < math.inf
        _check(is_positive, "trust_coefficient", "a number above 0", trust_coefficient)
        _check(isinstance(nesterov, bool), "nesterov", "a bool", nesterov)
        super().__init__(learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        self.momentum = momentum
        self.trust_coefficient = trust_coefficient
        self.nesterov = nesterov

    def build(self, variables):
        """Makes a velocity for each variable."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable."""
        learning_rate = ops.cast(learning_rate, variable.dtype)
        # Also makes the gradient of an embedding, which lists the rows in use, a whole one.
        gradient = ops.cast(ops.convert_to_tensor(gradient), variable.dtype)
        if len(variable.shape) > 1:
            decay = self.weight_decay if self._use_weight_decay(variable) else 0.0
            trust = ops.cast(self._trust(gradient, variable, decay), variable.dtype)
            gradient = trust * (gradient + decay * variable)
        step = learning_rate * gradient
        velocity = self.velocities[self._get_variable_index(variable)]
        moved = self.momentum * velocity + step
        self.assign(velocity, moved)
        self.assign_sub(variable, self.momentum * moved + step if self.nesterov else moved)

    def _trust(self, gradient, variable, decay):
        size, slope = _norm(variable), _norm(gradient)
        trust = self.trust_coefficient * size / (slope + decay * size + 1e-30)
        return ops.where((size > 0) & (slope > 0), trust, ops.ones_like(trust))

    def _apply_weight_decay(self, variables):
        """Does nothing: Keras's decay leaves the gradient and so the trust ratio alone."""

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "trust_coefficient": self.trust_coefficient,
            "nesterov": self.nesterov,
        }


def _norm(x):
    """Euclidean norm; squares overflow in float16."""
    x = ops.convert_to_tensor(x)
    x = x if x.dtype == "float64" else ops.cast(x, "float32")
    return ops.sqrt(ops.sum(ops.square(x)))


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check(is_right, argument, accepted, value):
    if not is_right:
        raise ValueError(f"`{argument}` must be {accepted}, received {value!r}.")
