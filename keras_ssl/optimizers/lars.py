"""LARS: layer-wise adaptive rate scaling for large batches."""

from typing import Any

import keras
from keras import ops

from keras_ssl import _internals
from keras_ssl._types import FloatOrSchedule
from keras_ssl.numerics import as_float
from keras_ssl.validation import check_bool, check_number, check_positive


@keras.saving.register_keras_serializable("keras_ssl")
class LARS(_internals.CustomWeightDecay, keras.optimizers.Optimizer):
    """Stochastic gradient descent with a learning rate for each layer, for large batches.

    With gradient g, decay d and weights w of one layer, the step is

        velocity = momentum * velocity + learning_rate * trust * (g + d * w)
        w = w - velocity

    where `trust = trust_coefficient * |w| / (|g| + d * |w|)`, or 1 if `|w|` or `|g|` is 0. As in
    the paper, the velocity includes the learning rate: a new learning rate applies to the next
    gradient, not to the momentum of earlier ones. Biases and the weights of normalization layers,
    all variables of rank 0 and 1, use plain momentum, without decay and trust ratio. Variables that
    `exclude_from_weight_decay` names keep their trust ratio, without decay.

    Learning rates are larger than those of SGD. A safe starting point is SimCLR's 0.3 for a batch
    of 256, scaled in proportion to the batch size.

    Args:
        learning_rate: Float >= 0, or a Keras schedule.
        momentum: Float in 0..1.
        weight_decay: Float >= 0, added to the gradient before the trust ratio.
        trust_coefficient: Float > 0, the paper's eta.
        nesterov: Bool, whether to use Nesterov momentum.
        name: String.
        **kwargs: Arguments of `keras.optimizers.Optimizer`, such as gradient clipping, gradient
            accumulation, weight averaging and loss scaling.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range.

    Source:
        You et al. 2017, https://arxiv.org/abs/1708.03888, algorithm 1. The exceptions for variables
        of rank 0 and 1 are those of Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix
        B.6.
    """

    def __init__(
        self,
        learning_rate: FloatOrSchedule = 0.3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.001,
        nesterov: bool = False,
        name: str = "lars",
        **kwargs: Any,
    ):
        if isinstance(learning_rate, (int, float)):
            check_number(0, learning_rate=learning_rate)
            learning_rate = float(learning_rate)
        check_number(0, 1, momentum=momentum)
        check_number(0, weight_decay=weight_decay)
        check_number(trust_coefficient=trust_coefficient)
        check_positive(trust_coefficient=trust_coefficient)
        check_bool(nesterov=nesterov)
        super().__init__(learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        self.momentum = momentum
        self.trust_coefficient = trust_coefficient
        self.nesterov = nesterov

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = ops.cast(learning_rate, variable.dtype)
        # The conversion also makes the sparse gradient of an embedding dense.
        gradient = ops.cast(ops.convert_to_tensor(gradient), variable.dtype)
        if len(variable.shape) > 1:
            decay = self.weight_decay if _internals.uses_weight_decay(self, variable) else 0.0
            trust = ops.cast(self._trust_ratio(gradient, variable, decay), variable.dtype)
            gradient = trust * (gradient + decay * variable)
        step = learning_rate * gradient
        velocity = self.velocities[_internals.variable_index(self, variable)]
        new_velocity = self.momentum * velocity + step
        self.assign(velocity, new_velocity)
        lookahead = self.momentum * new_velocity + step if self.nesterov else new_velocity
        self.assign_sub(variable, lookahead)

    def _trust_ratio(self, gradient, variable, decay):
        weight_norm, gradient_norm = _norm(variable), _norm(gradient)
        ratio = self.trust_coefficient * weight_norm
        ratio = ratio / (gradient_norm + decay * weight_norm + 1e-30)
        return ops.where((weight_norm > 0) & (gradient_norm > 0), ratio, ops.ones_like(ratio))

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "trust_coefficient": self.trust_coefficient,
            "nesterov": self.nesterov,
        }


def _norm(x):
    """Euclidean norm in float32 at least, because squares overflow in float16."""
    return ops.sqrt(ops.sum(ops.square(as_float(x))))
