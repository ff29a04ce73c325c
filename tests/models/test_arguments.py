"""A wrong argument of any method is named before anything is built."""

import inspect

import keras
import method_checks as checks
import pytest

NAN = float("nan")
SCHEDULE = keras.optimizers.schedules.CosineDecay(0.5, 10)
POSITIVE = (0, -0.1, NAN, True, "0.1", None, (0.1,))
NOT_NEGATIVE = (-0.1, NAN, True, "0.1", (0.1,))
SHARE = (-0.1, 1.1, NAN, True, "0.9", None)
COUNT = (-1, 2.0, True, "8")
STEPS = (-1, -0.1, 1.1, NAN, True, "0.1", None, SCHEDULE)
RATIO = (-0.1, 1.1, NAN, True, "0.9", None, SCHEDULE)
HEAD = ("big", 8, (), (8, 0), (8, -4), (8.0, 4), (True,))
# For each argument values that it must not take, of a wrong kind or out of range.
BAD = {
    "num_chunks": (*COUNT, 0, None),
    "class_names": ([], ["cat"], ["cat", "cat"], ["cat", ""], "cat", None, [1, 2]),
    "centering": ("mean", None, True, 1),
    "center_momentum": (*SHARE, SCHEDULE),
    "covariance": (*NOT_NEGATIVE, None, SCHEDULE),
    "epsilon": (*POSITIVE, SCHEDULE),
    "freeze_prototypes_steps": (*COUNT, None),
    "invariance": (*NOT_NEGATIVE, None, SCHEDULE),
    "iterations": (*COUNT, 0, None),
    "decoder": ("big", 8, (), (8, 1), (8, 0, 2), (8, 1.0, 2), (9, 1, 2), None),
    "koleo_weight": (*NOT_NEGATIVE, None, SCHEDULE),
    "max_logit_scale": (*POSITIVE, SCHEDULE),
    "layer_decay": (*RATIO, 0),
    "mask_ratio": RATIO,
    "momentum": SHARE,
    "num_neighbors": (*COUNT, 0),
    "normalize": ("yes", 1, None),
    "patch_weight": (*NOT_NEGATIVE, None, SCHEDULE),
    "predictor": (*HEAD, (16, 5)),  # another width than the projector's
    "predictor_learning_rate": NOT_NEGATIVE,
    "project_text": ("yes", 1, None),
    "projection": (*COUNT, 0),
    "projector": HEAD,
    "prototypes": ("big", 0, 1, -2, 2.0, True, None),
    "queue_size": COUNT,
    "queue_start": (*COUNT, None),
    "alpha": (*RATIO, 1),
    "redundancy_weight": (*NOT_NEGATIVE, None, SCHEDULE),
    "seed": ("a", 1.0, None, True, 2**31),
    "student_temperature": POSITIVE,
    "teacher_temperature": POSITIVE,
    "temperature": POSITIVE,
    "variance": (*NOT_NEGATIVE, None, SCHEDULE),
    "version": (1, 4, "2", None),
    "decay": (1.0, 0.5, NAN, float("inf"), True, "2", None, SCHEDULE),
    "decay_interval": STEPS,
    "ema_momentum": SHARE,
    "fairness_weight": (*NOT_NEGATIVE, None, SCHEDULE),
    "min_threshold": (*NOT_NEGATIVE, None, SCHEDULE),
    "initial_threshold": ("test", None, 0.5, True),
    "num_unlabeled": (0, -1, 2.0, True, "8"),
    "shared_head": ("yes", 1, None),
    "n_sigma": (*POSITIVE, SCHEDULE),
    "signal_annealing": ("cosine", None, True, 1.0),
    "tokenizer": ("words", 12, [str], keras.layers.TextVectorization()),
    "templates": ([], ["a"], "a {}", None, [3]),
    "threshold": RATIO,
    "threshold_momentum": RATIO,
    "training_template": ("a", 3, ["a {}"]),
    "unlabeled_weight": (*NOT_NEGATIVE, None),
    "warmup": STEPS,
    "weight_momentum": RATIO,
    "views": (3, "two", [1, 2], [lambda images, seed: images], ()),
}


def arguments(name):
    """What the constructor of a method takes, beside the encoder."""
    method = type(checks.make(name))
    own = set(inspect.signature(method.__init__).parameters) - {"self", "encoder", "kwargs"}
    shared = {"ema_momentum", "unlabeled_weight"} if name in checks.FEW_LABELS else {"views"}
    shared = set() if name == "ReCLIP" else shared
    networks = {"classifier", "clip", "image_encoder", "text_encoder"}
    return sorted(own - networks | {"seed"} | shared)


def bad(name, argument):
    """Values that a method must not take; one view is enough for CLIP alone."""
    if (name, argument) == ("CLIP", "views"):
        return [value for value in BAD["views"] if not isinstance(value, list) or len(value) > 1]
    return BAD[argument]


def is_refused(name, argument, value):
    """Whether a method raises an error that names the argument."""
    try:
        checks.METHODS[name](checks.small_encoder(), **{argument: value})
    except (TypeError, ValueError) as error:
        return f"`{argument}`" in str(error)
    return False


@pytest.mark.parametrize("name", checks.METHODS)
def test_every_argument_refuses_by_its_name_what_it_cannot_mean(name):
    given = [(argument, value) for argument in arguments(name) for value in bad(name, argument)]
    assert [case for case in given if not is_refused(name, *case)] == []
