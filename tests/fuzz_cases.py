"""Public functions with valid arguments, and the check of their results."""

from typing import Any, NamedTuple

import keras
import method_checks as checks
import numpy as np
import tensorflow as tf

import keras_ssl
from keras_ssl import callbacks, data, encoders, evaluation, losses, optimizers, views

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(3, 6, 4)).astype("float32")  # three tensors of rows
MASK = np.array([1, 0, 1, 1, 0, 1], bool)
LABELS = np.array([0, 1, 2, 0, 1, 2])
IMAGES = RNG.integers(0, 256, (6, 16, 16, 3), "uint8")
PATCHES = RNG.normal(size=(3, 2, 4, 5)).astype("float32")


class Case(NamedTuple):
    """A public function, its arguments and the use of its result.

    Attributes:
        function: The public function or class.
        given: Dict of valid arguments.
        use: Function of the result that returns arrays, or None if the call suffices.
        also: Names of further arguments, which the signature does not show.
        slow: Bool, whether only `pytest -m slow` calls the function.
    """

    function: Any
    given: dict
    use: Any = None
    also: list = []
    slow: bool = False


def rows(*names):
    """Returns arguments that are tensors of rows."""
    return dict(zip(names, Z, strict=False))


def apply_view(view):
    """Returns the images that a view makes."""
    return view(IMAGES, (0, 1))


def apply_views(view_sequence):
    """Returns the images that each view of a sequence makes."""
    return [apply_view(view) for view in view_sequence]


def encode(encoder):
    """Returns features of two images."""
    return encoder(IMAGES[:2, :8, :8] / np.float32(255))


def labeled_images():
    """Returns a dataset of single images and labels."""
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))


def first(dataset):
    """Returns the first element of a dataset."""
    return next(iter(dataset.take(1).as_numpy_iterator()))


def read(datasets):
    """Returns all elements of the parts of a split."""
    return [x for part in datasets for x in part.as_numpy_iterator()]


def apply_step(optimizer):
    """Returns a weight after a step."""
    weight = keras.Variable(np.ones((3, 2), "float32"))
    optimizer.apply([keras.ops.ones((3, 2))], [weight])
    return weight


LOSSES = {
    "barlow_twins": rows("z1", "z2"),
    "barlow_twins_terms": rows("z1", "z2"),
    "byol": rows("p", "z"),
    "clip": {**rows("image", "text"), "scale": 2.0},
    "dash": {**rows("weak_logits", "strong_logits"), "threshold": 2.0},
    "dino": {**rows("student", "teacher"), "center": np.zeros(4, "float32")},
    "emp_ssl": {"z": Z},
    "emp_ssl_terms": {"z": Z},
    "fairness": {
        "strong_logits": Z[0],
        "mask": MASK.astype("float32"),
        "expected": np.full(4, 0.25, "float32"),
        "histogram": np.full(4, 0.25, "float32"),
    },
    "fixmatch": rows("weak_logits", "strong_logits"),
    "ibot": {
        "student": PATCHES[0],
        "teacher": PATCHES[1],
        "mask": np.array([[1, 0, 1, 0], [0, 1, 1, 0]], bool),
        "center": np.zeros(5, "float32"),
    },
    "info_nce": rows("query", "key"),
    "koleo": rows("x"),
    "mae": {
        "predicted": PATCHES[0],
        "patches": PATCHES[1],
        "mask": np.array([[1, 0, 1, 0], [0, 1, 1, 0]], bool),
    },
    "mean_teacher": rows("student_logits", "teacher_logits"),
    "negative_cosine": rows("p", "z"),
    "nnclr": rows("nearest", "predicted"),
    "nt_xent": rows("z1", "z2"),
    "sinkhorn": rows("scores"),
    "supcon": {"z": Z[0], "labels": LABELS},
    "swav": {"scores": Z[0], "assignments": np.full((6, 4), 0.25, "float32")},
    "total_coding_rate": rows("z"),
    "uda": rows("weak_logits", "strong_logits"),
    "vicreg": rows("z1", "z2"),
    "vicreg_terms": rows("z1", "z2"),
    "weighted_cross_entropy": {
        "logits": Z[0],
        "targets": np.full((6, 4), 0.25, "float32"),
        "weights": np.ones(6, "float32"),
    },
}
VIEWS = {
    "BlockMask": {"grid": 4},
    "ColorJitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "Compose": {"views": (views.RandomFlip(), views.Solarize())},
    "Cutout": {},
    "FastColorJitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "GaussianBlur": {},
    "KerasLayer": {"layer": keras.layers.RandomFlip()},
    "RandAugment": {},
    "RandomFlip": {},
    "RandomGrayscale": {},
    "RandomMask": {"grid": 4},
    "RandomResizedCrop": {"size": 8},
    "RandomShift": {},
    "Solarize": {},
    "fixmatch_weak": {"size": 8},
    "fixmatch_strong": {"size": 16},
}
SETS_OF_VIEWS = {
    "multi_crop": {"large": views.RandomResizedCrop(8), "small": views.RandomResizedCrop(4)},
    **{name: {"size": 8} for name in ("barlow_twins", "byol", "clip", "simclr", "simsiam")},
    **{name: {"size": 8, "small_crops": 1} for name in ("dino", "swav")},
    "dinov2": {"size": 8, "patch_size": 4, "small_crops": 1},
    "emp_ssl": {"size": 8, "patches": 2},
    "vicreg": {"size": 8},
    "fast_colors": {"views": views.simclr(8)},
    "mae": {"size": 8, "patch_size": 4},
}
ENCODERS = {
    "small_resnet": {"input_shape": (8, 8, 3), "width": 2},
    "resnet18": {"input_shape": (8, 8, 3), "width": 2, "stem": "cifar"},
    "wide_resnet": {"input_shape": (8, 8, 3), "depth": 10, "width": 1},
    "vit": {"input_shape": (8, 8, 3), "patch_size": 4, "width": 6, "depth": 1, "heads": 2},
}
POOLINGS = {"train_features": Z[0], "train_labels": LABELS} | {
    "test_features": Z[1],
    "test_labels": LABELS,
}
EVALUATION = {
    "alignment": rows("features_1", "features_2"),
    "extract_features": {"model": None, "dataset": IMAGES},
    "feature_std": {"features": Z[0]},
    "low_shot_probe": {**POOLINGS, "labels_per_class": 1, "seeds": (0, 1)},
    "knn": {"model": None, "train": (IMAGES, LABELS), "test": (IMAGES, LABELS)},
    "knn_from_features": POOLINGS,
    "linear_probe": {"model": None, "train": (IMAGES, LABELS), "test": (IMAGES, LABELS)},
    "linear_probe_from_features": POOLINGS,
    "rankme": {"features": Z[0]},
    "read_images": {"dataset": IMAGES},
    "recall_at_k": {"queries": Z[0], "gallery": Z[1]},
    "uniformity": {"features": Z[0]},
}


def methods():
    """Yields each method with its arguments, apart from networks and the names of classes."""
    by_class = {spec.method.__name__: spec for spec in reversed(checks.specs().values())}
    for name, spec in by_class.items():
        arguments = [argument for argument in spec.arguments() if argument != "class_names"]
        yield name, Case(maker(spec), {}, also=arguments, slow=True)


def maker(spec):
    """Returns a function of keyword arguments that makes a method."""
    return lambda **kwargs: spec.make(checks.small_encoder(), **kwargs)


CASES = {
    **{f"losses.{n}": Case(getattr(losses, n), given, lambda x: x) for n, given in LOSSES.items()},
    **{f"views.{n}": Case(getattr(views, n), given, apply_view) for n, given in VIEWS.items()},
    **{
        f"views.{n}": Case(getattr(views, n), given, apply_views, slow=True)
        for n, given in SETS_OF_VIEWS.items()
    },
    "views.apply_randaugment": Case(
        views.apply_randaugment,
        {"images": IMAGES, "operation": "Rotate", "level": 3.0},
        lambda x: x,
    ),
    **{
        f"encoders.{n}": Case(getattr(encoders, n), given, encode, slow=True)
        for n, given in ENCODERS.items()
    },
    **{
        f"evaluation.{n}": Case(getattr(evaluation, n), given, lambda x: x)
        for n, given in EVALUATION.items()
    },
    "optimizers.LARS": Case(optimizers.LARS, {}, apply_step),
    "optimizers.L2SGD": Case(optimizers.L2SGD, {}, apply_step),
    "schedules.FixMatchCosineDecay": Case(
        keras_ssl.schedules.FixMatchCosineDecay,
        {"initial_learning_rate": 0.1, "decay_steps": 10},
        lambda rate: rate(5),
    ),
    "schedules.CosineMomentum": Case(
        keras_ssl.schedules.CosineMomentum,
        {"initial_value": 0.9, "decay_steps": 10},
        lambda rate: rate(5),
    ),
    "data.views": Case(
        data.make_views,
        {"dataset": labeled_images(), "views": (views.RandomFlip(),), "batch_size": 3},
        first,
    ),
    "data.split_labels": Case(
        data.split_labels, {"dataset": labeled_images(), "labels_per_class": 1}, read
    ),
    "data.semi_supervised": Case(
        data.semi_supervised,
        {
            "labeled": labeled_images(),
            "unlabeled": labeled_images(),
            "batch_size": 2,
            "unlabeled_ratio": 2,
            "weak": views.RandomFlip(),
            "strong": views.RandomFlip(),
        },
        first,
        slow=True,
    ),
    "data.load": Case(data.load, {"name": "digits"}, first),
    "callbacks.CollapseMonitor": Case(callbacks.CollapseMonitor, {"images": IMAGES}),
    "callbacks.KNNProbe": Case(
        callbacks.KNNProbe, {"train": (IMAGES, LABELS), "test": (IMAGES, LABELS)}
    ),
    "callbacks.Checkpoint": Case(callbacks.Checkpoint, {"folder": "run"}),
    "models.classifier": Case(
        lambda encoder, num_classes: keras_ssl.models.classifier(encoder, num_classes),
        {"encoder": checks.small_encoder(), "num_classes": 3},
        encode,
    ),
    "distribute.strategy": Case(keras_ssl.distribute.strategy, {"name": "none"}),
    **{f"models.{name}": case for name, case in methods()},
}
