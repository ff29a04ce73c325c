"""Learning rates of their own for parts of a model: an optimizer for each, of one kind."""

import keras

from keras_ssl.validation import Schedule


@keras.saving.register_keras_serializable("keras_ssl")
class ScaledSchedule(Schedule):
    """A schedule times a number.

    Args:
        schedule: Keras schedule.
        factor: Float.
    """

    def __init__(self, schedule, factor):
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step):
        """The learning rate at a step."""
        return self.factor * self.schedule(step)

    def get_config(self):
        """Returns the constructor's arguments."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}

    @classmethod
    def from_config(cls, config):
        """Makes the schedule of a config."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["factor"])


def scaled_learning_rate(optimizer, factor):
    """What `split` takes for a learning rate: that of an optimizer times a number."""
    rate = optimizer.get_config()["learning_rate"]
    if isinstance(rate, dict):
        return ScaledSchedule(keras.saving.deserialize_keras_object(rate), factor)
    return factor * rate


def with_parameter_groups(optimizer, groups, every, name, argument):
    """Gives groups of weights learning rates of their own.

    Args:
        optimizer: Keras optimizer, also one of loss scaling, or what this returned before.
        groups: Function from an optimizer to pairs of a list of variables and their rate.
        every: All variables that are trained.
        name: String, by which an optimizer that this made is known again.
        argument: The argument that asks for it, which errors name.

    Returns:
        A `keras.optimizers.MultiOptimizer`, inside of loss scaling where that was given.

    Raises:
        ValueError: If the optimizer is a `MultiOptimizer` already, or two parts of the model have
            weights of one name.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return keras.optimizers.LossScaleOptimizer(
            with_parameter_groups(optimizer.inner_optimizer, groups, every, name, argument),
            initial_scale=optimizer.initial_scale,
            dynamic_growth_steps=optimizer.dynamic_growth_steps,
        )
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        if optimizer.name != name:
            raise ValueError(
                "`optimizer` is a MultiOptimizer, which gives each weight its own optimizer "
                f"already: leave `{argument}` at its default with it."
            )
        # A saved model's own: Keras may name the weights of a loaded model otherwise.
        optimizer = optimizer.optimizers[-1]
    paths = {}
    for variables, rate in groups(optimizer):
        config = {**optimizer.get_config(), "learning_rate": rate}
        own = type(optimizer).from_config(config)
        paths |= {variable.path: own for variable in variables}
    shared = [variable.path for variable in every if variable.path in paths]
    if len(shared) > len(paths):
        twice = sorted(path for path in paths if shared.count(path) > 1)
        raise ValueError(
            f"`{argument}` needs weights of different names, and two parts of the model have "
            f"{twice[0]!r}: give the layers names of their own, for their learning rates to be "
            "told apart."
        )
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(optimizer, paths), name=name
    )
