"""What a method declares for the tests that every method must pass.

The test file of a method holds `SPEC = MethodSpec(...)`, or `SPECS`, a dict from names to specs, if
the method has several forms. `method_checks.specs` collects them from `tests/models`.
"""

import collections.abc
import dataclasses
import inspect

import keras

import keras_ssl

NAN = float("nan")
SCHEDULE = keras.optimizers.schedules.CosineDecay(0.5, 10)
# Invalid values for each kind of argument.
NOT_POSITIVE = (0, -0.1, NAN, True, "0.1", None, (0.1,))
NEGATIVE = (-0.1, NAN, True, "0.1", (0.1,))
NOT_A_FRACTION = (-0.1, 1.1, NAN, True, "0.9", None)
NOT_A_COUNT = (-1, 2.0, True, "8")
NOT_STEPS = (-1, -0.1, 1.1, NAN, True, "0.1", None, SCHEDULE)
NOT_A_BOOL = ("yes", 1, None)
NOT_A_HEAD = ("big", 8, (), (8, 0), (8, -4), (8.0, 4), (True,))
# Invalid values of the arguments that several methods share.
INVALID = {
    "center_momentum": (*NOT_A_FRACTION, SCHEDULE),
    "covariance": (*NEGATIVE, None, SCHEDULE),
    "ema_momentum": NOT_A_FRACTION,
    "epsilon": (*NOT_POSITIVE, SCHEDULE),
    "freeze_prototypes_steps": (*NOT_A_COUNT, None),
    "invariance": (*NEGATIVE, None, SCHEDULE),
    "momentum": NOT_A_FRACTION,
    "num_chunks": (*NOT_A_COUNT, 0, None),
    "predictor": (*NOT_A_HEAD, (16, 5)),  # another width than the projector's
    "projector": NOT_A_HEAD,
    "prototypes": ("big", 0, 1, -2, 2.0, True, None),
    "queue_size": NOT_A_COUNT,
    "seed": ("a", 1.0, None, True, 2**31),
    "student_temperature": NOT_POSITIVE,
    "teacher_temperature": NOT_POSITIVE,
    "temperature": NOT_POSITIVE,
    "together": NOT_A_BOOL,
    "threshold": (*NOT_A_FRACTION, SCHEDULE),
    "unlabeled_weight": (*NEGATIVE, None),
    "views": (3, "two", [1, 2], [lambda images, seed: images], ()),
    "warmup": NOT_STEPS,
}
# Arguments that are no hyperparameters of the loss.
STRUCTURE = {"predictor", "projector", "seed", "views"}
NETWORKS = {"classifier", "clip", "encoder", "image_encoder", "text_encoder"}


def encoder_only(encoder):
    """Returns the networks of a method that takes an encoder."""
    return (encoder,)


def with_classifier(encoder):
    """Returns the networks of a semi-supervised method with four classes."""
    return (keras_ssl.models.classifier(encoder, 4),)


def vit(pooling):
    """Returns a function that replaces the encoder by a small vision transformer."""
    return lambda encoder: (
        keras_ssl.encoders.vit((8, 8, 3), 2, 8, 1, 2, registers=1, pooling=pooling),
    )


@dataclasses.dataclass(frozen=True)
class MethodSpec:
    """How the tests make a method, and the facts about it that they cannot guess.

    Attributes:
        method: The class.
        networks: Function from an encoder to the networks, the first arguments of `method`.
        settings: Dict of the arguments that make a small model.
        other_values: Dict from each hyperparameter to a second value. It must change the loss
            within four steps.
        covered_elsewhere: Names of arguments without a second value, because it leaves the loss as
            it is or needs other data. The tests of the method cover them.
        invalid_values: Dict from arguments to the values that the constructor must reject, for the
            arguments that `INVALID` lacks or to replace its values.
        learning_rate: Float at which SGD with momentum lowers the loss; losses differ in scale.
        lowers_loss: Bool, whether the loss falls when one batch is repeated.
        symmetric_in_views: Bool, whether swapping the two views leaves the loss as it is.
        views_of: Name of a spec whose method makes the same views of images. That one is trained on
            plain images for both; None if there is none.
        representative: Bool, whether the method stands for its family in the tests without the
            marker `slow`: training on plain images with the views of the method, and training
            on after loading. Also in the comparisons that no other method is in: traced with eager
            steps, and one JAX device with one device of TensorFlow.
        on_workers: Bool, whether two workers are compared with one device.
        half_precision: Policies under which two replicas are compared with one device. Methods that
            exchange tensors of different kinds ask for one.
    """

    method: type
    networks: collections.abc.Callable = encoder_only
    settings: dict = dataclasses.field(default_factory=dict)
    other_values: dict = dataclasses.field(default_factory=dict)
    covered_elsewhere: tuple[str, ...] = ()
    invalid_values: dict = dataclasses.field(default_factory=dict)
    learning_rate: float = 0.125  # exact in float32, the dtype of a learning rate on JAX
    lowers_loss: bool = True
    symmetric_in_views: bool = False
    views_of: str | None = None
    representative: bool = False
    on_workers: bool = False
    half_precision: tuple[str, ...] = ()

    def make(self, encoder, **kwargs):
        """Returns a small model of the method.

        Args:
            encoder: The encoder that `networks` takes.
            **kwargs: Arguments that replace or extend `settings`.
        """
        return self.method(*self.networks(encoder), **{**self.settings, **kwargs})

    def arguments(self):
        """Returns the sorted names of the constructor's arguments, without the networks."""
        names = set()
        for base in self.method.__mro__[: self.method.__mro__.index(keras.Model)]:
            if "__init__" in vars(base):
                parameters = inspect.signature(base.__init__).parameters.values()
                names |= {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
        return sorted(names - NETWORKS - {"self"})


def check_specs(specs):
    """Fails if the specs of a method leave out an argument, or name one that it lacks.

    Args:
        specs: List of the specs of one class, one for each form.
    """
    name, arguments = specs[0].method.__name__, specs[0].arguments()
    other_values = {key for spec in specs for key in (*spec.other_values, *spec.covered_elsewhere)}
    invalid_values = {key for spec in specs for key in spec.invalid_values}
    for unknown in (other_values | invalid_values) - set(arguments):
        raise AssertionError(f"The spec of {name} has a value for `{unknown}`, no argument of it.")
    for argument in arguments:
        assert argument in other_values | STRUCTURE, (
            f"{name} has the argument `{argument}`. Add a second value that changes the loss to "
            "`other_values` of its spec, or name it in `covered_elsewhere` and test it."
        )
        assert argument in INVALID or argument in invalid_values, (
            f"{name} has the argument `{argument}`. Add values that the constructor must reject to "
            "`invalid_values` of its spec."
        )
