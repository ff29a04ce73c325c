"""Parameter groups: different learning rates for parts of a model."""

from collections.abc import Callable, Iterable

import keras

from keras_ssl._types import FloatOrSchedule, Schedule, Tensor


@keras.saving.register_keras_serializable("keras_ssl")
class ScaledSchedule(Schedule):
    """A schedule multiplied by a constant.

    Args:
        schedule: Keras schedule.
        factor: Float.
    """

    def __init__(self, schedule: Schedule, factor: float):
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step: Tensor) -> Tensor:
        """Returns the learning rate at a step, a scalar."""
        return self.factor * self.schedule(step)

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["factor"])


def scaled_learning_rate(optimizer: keras.optimizers.Optimizer, factor: float) -> FloatOrSchedule:
    """Returns the learning rate of an optimizer, a float or a schedule, multiplied by `factor`."""
    rate = optimizer.get_config()["learning_rate"]
    if isinstance(rate, dict):
        return ScaledSchedule(keras.saving.deserialize_keras_object(rate), factor)
    return factor * rate


def with_parameter_groups(
    optimizer: keras.optimizers.Optimizer,
    groups: Callable[
        [keras.optimizers.Optimizer], Iterable[tuple[list[keras.Variable], FloatOrSchedule]]
    ],
    variables: list[keras.Variable],
    name: str,
    argument: str,
) -> keras.optimizers.Optimizer:
    """Returns an optimizer that trains groups of weights with their own learning rates.

    Args:
        optimizer: Keras optimizer; a `LossScaleOptimizer` or an optimizer that this function
            returned is allowed.
        groups: Function from an optimizer to pairs of a list of variables and their learning rate.
        variables: All variables that are trained.
        name: String, name of the returned optimizer, by which it is recognized later.
        argument: Name of the method's argument that asks for groups, for error messages.

    Returns:
        A `keras.optimizers.MultiOptimizer`, inside a `LossScaleOptimizer` if one was given.

    Raises:
        ValueError: If the optimizer is another `MultiOptimizer`, or two weights of the model have
            the same path.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return keras.optimizers.LossScaleOptimizer(
            with_parameter_groups(optimizer.inner_optimizer, groups, variables, name, argument),
            initial_scale=optimizer.initial_scale,
            dynamic_growth_steps=optimizer.dynamic_growth_steps,
        )
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        if optimizer.name != name:
            raise ValueError(
                "`optimizer` is a MultiOptimizer, which already assigns an optimizer to each "
                f"weight: leave `{argument}` at its default, or pass a single optimizer."
            )
        # The optimizer of a loaded model. Split it again, since Keras may rename its weights.
        optimizer = optimizer.optimizers[-1]
    by_path: dict[str, keras.optimizers.Optimizer] = {}
    for group, rate in groups(optimizer):
        config = {**optimizer.get_config(), "learning_rate": rate}
        group_optimizer = type(optimizer).from_config(config)
        by_path |= {variable.path: group_optimizer for variable in group}
    grouped_paths = [variable.path for variable in variables if variable.path in by_path]
    if len(grouped_paths) > len(by_path):
        duplicates = sorted(path for path in by_path if grouped_paths.count(path) > 1)
        raise ValueError(
            f"`{argument}` needs weights with different paths, and two weights of the model have "
            f"the path {duplicates[0]!r}: give their layers different names."
        )
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(optimizer, by_path), name=name
    )
