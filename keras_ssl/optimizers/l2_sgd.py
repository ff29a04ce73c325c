"""Stochastic gradient descent with L2 regularization of the kernels."""

from typing import Any

import keras
from keras import ops

from keras_ssl import _internals
from keras_ssl._types import FloatOrSchedule
from keras_ssl.validation import check_bool, check_number


@keras.saving.register_keras_serializable("keras_ssl")
class L2SGD(_internals.CustomWeightDecay, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with the weight decay of the papers: L2, and of kernels only.

    The decay times the kernel is added to the gradient before momentum, like the gradient of an L2
    term in the loss and like PyTorch's SGD. Keras's own weight decay is decoupled: it is subtracted
    from the weights directly, so that with a momentum of 0.9 the same number decays a tenth as
    much. Biases and the weights of normalization layers, all variables of rank 0 and 1, do not
    decay.

        rate = keras_ssl.schedules.FixMatchCosineDecay(0.03, decay_steps=10_000)
        optimizer = keras_ssl.optimizers.L2SGD(rate, momentum=0.9, nesterov=True, weight_decay=5e-4)

    Args:
        learning_rate: Float >= 0, or a Keras schedule.
        momentum: Float in 0..1.
        nesterov: Bool, whether to use Nesterov momentum.
        weight_decay: Float >= 0, or None. The L2 term is `weight_decay / 2` times the squared norm.
        name: String.
        **kwargs: Other arguments of `keras.optimizers.SGD`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.4 and the authors' code.
    """

    def __init__(
        self,
        learning_rate: FloatOrSchedule = 0.03,
        momentum: float = 0.9,
        nesterov: bool = True,
        weight_decay: float | None = None,
        name: str = "sgd",
        **kwargs: Any,
    ):
        if isinstance(learning_rate, (int, float)):
            check_number(0, learning_rate=learning_rate)
        check_number(0, 1, momentum=momentum)
        if weight_decay is not None:
            check_number(0, weight_decay=weight_decay)
        check_bool(nesterov=nesterov)
        super().__init__(
            learning_rate, momentum, nesterov, weight_decay=weight_decay, name=name, **kwargs
        )

    def update_step(self, gradient, variable, learning_rate):
        is_kernel = len(variable.shape) > 1
        if self.weight_decay and is_kernel and _internals.uses_weight_decay(self, variable):
            # The conversion also makes the sparse gradient of an embedding dense.
            gradient = ops.cast(ops.convert_to_tensor(gradient), variable.dtype)
            gradient = gradient + self.weight_decay * variable
        super().update_step(gradient, variable, learning_rate)
