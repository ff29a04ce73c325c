"""Schedules that Keras does not have: FixMatch's learning rate and BYOL's momentum."""

import math

import keras
from keras import ops

from keras_ssl._types import Schedule, Tensor
from keras_ssl.validation import check_int, check_number, check_positive


@keras.saving.register_keras_serializable("keras_ssl")
class FixMatchCosineDecay(Schedule):
    """A learning rate that decays along 7/16 of a cosine, to a fifth of its initial value.

        rate = keras_ssl.schedules.FixMatchCosineDecay(0.03, decay_steps=10_000)

    At step t it is `initial_learning_rate * cos(7 * pi * t / (16 * decay_steps))`. After
    `decay_steps` it is constant.

    Args:
        initial_learning_rate: Float > 0.
        decay_steps: Int >= 1, number of optimizer steps of the run.
        name: String.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.4.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, name: str = "fixmatch_cosine_decay"
    ):
        check_number(initial_learning_rate=initial_learning_rate)
        check_positive(initial_learning_rate=initial_learning_rate)
        check_int(1, decay_steps=decay_steps)
        super().__init__()
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.name = name

    def __call__(self, step: Tensor) -> Tensor:
        """Returns the learning rate at a step, a scalar."""
        step = ops.minimum(ops.cast(step, keras.config.floatx()), float(self.decay_steps))
        return self.initial_learning_rate * ops.cos(7 * math.pi / 16 * step / self.decay_steps)

    def get_config(self):
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "name": self.name,
        }


@keras.saving.register_keras_serializable("keras_ssl")
class CosineMomentum(Schedule):
    """An EMA momentum that increases from `initial_value` to 1 along half a cosine, as in BYOL.

        momentum = keras_ssl.schedules.CosineMomentum(0.996, decay_steps=10_000)
        model = keras_ssl.BYOL(encoder, momentum=momentum)

    At step t it is `1 - (1 - initial_value) * (1 + cos(pi * t / decay_steps)) / 2`. After
    `decay_steps` it is 1.

    Args:
        initial_value: Float above 0 and at most 1.
        decay_steps: Int >= 1, number of optimizer steps of the run.
        name: String.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is out of range.

    Source:
        Grill et al. 2020, https://arxiv.org/abs/2006.07733, section 3.3.
    """

    def __init__(self, initial_value: float, decay_steps: int, name: str = "cosine_momentum"):
        check_number(0, 1, initial_value=initial_value)
        check_positive(initial_value=initial_value)
        check_int(1, decay_steps=decay_steps)
        super().__init__()
        self.initial_value = initial_value
        self.decay_steps = decay_steps
        self.name = name

    def __call__(self, step: Tensor) -> Tensor:
        """Returns the momentum at a step, a scalar."""
        step = ops.minimum(ops.cast(step, keras.config.floatx()), float(self.decay_steps))
        cosine = ops.cos(math.pi * step / self.decay_steps)
        return 1.0 - (1.0 - self.initial_value) * (1.0 + cosine) / 2.0

    def get_config(self):
        return {
            "initial_value": self.initial_value,
            "decay_steps": self.decay_steps,
            "name": self.name,
        }
