"""The learning rate of FixMatch."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_ssl")
class FixMatchDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that falls on 7/16 of a cosine: to a fifth of its start, not to 0.

    At step t it is `learning_rate * cos(7 * pi * t / (16 * steps))`; from `steps` on it stays.

    Args:
        learning_rate: Float > 0, at the start.
        steps: Int >= 1, of the whole run.
        name: String.

    Raises:
        ValueError: If a number is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.4.
    """

    def __init__(self, learning_rate, steps, name="fixmatch_decay"):
        for argument, value in (("learning_rate", learning_rate), ("steps", steps)):
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not 1e-30 <= value < math.inf:
                raise ValueError(f"`{argument}` must be a number above 0, received {value!r}.")
        super().__init__()
        self.learning_rate = learning_rate
        self.steps = steps
        self.name = name

    def __call__(self, step):
        """The rate at a step, a scalar."""
        step = ops.minimum(ops.cast(step, keras.config.floatx()), float(self.steps))
        return self.learning_rate * ops.cos(7 * math.pi / 16 * step / self.steps)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"learning_rate": self.learning_rate, "steps": self.steps, "name": self.name}


def cosine(base, steps):
    """A schedule from `base` to 1 along half a cosine, as in BYOL.

    Args:
        base: Float above 0 and at most 1.
        steps: Int, steps of the run.

    Returns:
        A `keras.optimizers.schedules.CosineDecay`: one that rises.

    Raises:
        ValueError: If `base` is not in 0..1, or 0.

    Source:
        Grill et al. 2020, https://arxiv.org/abs/2006.07733, section 3.3.
    """
    is_number = isinstance(base, (int, float)) and not isinstance(base, bool)
    if not is_number or not 1e-6 <= base <= 1:
        raise ValueError(f"`base` must be above 0 and at most 1, received {base!r}.")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"`steps` must be an int above 0, received {steps!r}.")
    return keras.optimizers.schedules.CosineDecay(base, steps, alpha=1 / base)
