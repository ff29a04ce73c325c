"""Stochastic gradient descent with the weight decay of the papers."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_ssl")
class L2SGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD` with the weight decay of the papers: of kernels only, in the gradient.

    Decay times the kernel is added to the gradient before momentum, as the gradient of an L2 term
    in the loss. Keras's own is taken off the weights beside it: at a momentum of 0.9 the same
    number decays a tenth as much. Biases and the weights of normalization layers, all variables of
    rank 0 and 1, are left alone.

        rate = keras_ssl.schedules.FixMatchCosineDecay(0.03, decay_steps=10_000)
        optimizer = keras_ssl.optimizers.L2SGD(rate, momentum=0.9, nesterov=True, weight_decay=5e-4)

    Args:
        learning_rate: Float >= 0, or a Keras schedule.
        momentum: Float in 0..1.
        nesterov: Bool, look ahead along the velocity.
        weight_decay: Float >= 0, or None; half of it is what the L2 term weighs.
        **kwargs: As in `keras.optimizers.SGD`.

    Raises:
        ValueError: If a number is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.4 and the authors' code.
    """

    def __init__(
        self,
        learning_rate=0.03,
        momentum=0.9,
        nesterov=True,
        weight_decay=None,
        name="sgd",
        **kwargs,
    ):
        if weight_decay is not None and not _is_amount(weight_decay):
            raise ValueError(
                f"`weight_decay` must be a number, at least 0, or None; received {weight_decay!r}."
            )
        for argument, value in (("learning_rate", learning_rate), ("momentum", momentum)):
            if isinstance(value, (int, float)) and not _is_amount(value):
                raise ValueError(f"`{argument}` must be a number, at least 0; received {value!r}.")
        if not isinstance(nesterov, bool):
            raise TypeError(f"`nesterov` must be a bool, received {nesterov!r}.")
        super().__init__(
            learning_rate, momentum, nesterov, weight_decay=weight_decay, name=name, **kwargs
        )

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable."""
        if self.weight_decay and len(variable.shape) > 1 and self._use_weight_decay(variable):
            # Also makes the gradient of an embedding, which lists the rows in use, a whole one.
            gradient = ops.cast(ops.convert_to_tensor(gradient), variable.dtype)
            gradient = gradient + self.weight_decay * variable
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        """Does nothing: the decay is in the gradient."""


def _is_amount(value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value < math.inf
