"""Stochastic gradient descent whose weight decay knows its place."""

import keras


@keras.saving.register_keras_serializable("keras_ssl")
class SGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD` that decays kernels only, saved and loaded with that.

    Biases and the weights of normalisation layers, all variables of rank 0 and 1, are left alone,
    as in the code of FixMatch and most others. Keras's own takes names for that, which a saved
    optimizer forgets. As there, decay is taken off the weights, times the learning rate, and has no
    part in momentum.

        rate = keras_ssl.optimizers.FixMatchDecay(0.03, steps=10_000)
        optimizer = keras_ssl.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=5e-4)

    Args:
        learning_rate: Float >= 0, or a Keras schedule.
        momentum: Float in 0..1.
        nesterov: Bool, look ahead along the velocity.
        weight_decay: Float >= 0, or None.
        **kwargs: As in `keras.optimizers.SGD`.

    Raises:
        ValueError: If a number is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 4 and the authors' code.
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
        is_number = isinstance(weight_decay, (int, float)) and not isinstance(weight_decay, bool)
        if weight_decay is not None and not (is_number and weight_decay >= 0):
            raise ValueError(
                f"`weight_decay` must be a number, at least 0, or None; received {weight_decay!r}."
            )
        super().__init__(
            learning_rate, momentum, nesterov, weight_decay=weight_decay, name=name, **kwargs
        )

    def _use_weight_decay(self, variable):
        return len(variable.shape) > 1 and super()._use_weight_decay(variable)
