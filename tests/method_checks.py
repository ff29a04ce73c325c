"""The methods under test, and what every check needs: an encoder, views, one way to train.

Run as a script it trains each method and writes what came out, to compare with this process:
`python method_checks.py OUT.npz one_device`, or `data_parallel` (JAX), `mirrored` (four replicas),
`precisions` (less than float32, on two replicas), `workers` (one of several, by TF_CONFIG).
"""

import contextlib
import os
import sys

import keras
import numpy as np
from keras.src.backend.common import dtypes

import keras_ssl


def _small(method, **heads):
    """Makes a method with heads small enough to compute in no time."""
    return lambda encoder, **kwargs: method(encoder, **{"projector": (16, 8), **heads, **kwargs})


def _few_labels(method, **settings):
    """Makes a method that learns from few labels, of four classes."""
    return lambda encoder, **kwargs: method(
        keras_ssl.models.classifier(encoder, 4), **{"ema_momentum": 0.75, **settings, **kwargs}
    )


def _transformer(method, pooling="token", **settings):
    """Makes a method of a small vision transformer, which takes the encoder's place."""
    return lambda encoder, **kwargs: method(
        keras_ssl.encoders.vit((8, 8, 3), 2, 8, 1, 2, registers=1, pooling=pooling),
        **{**settings, **kwargs},
    )


def _captioned(encoder, **kwargs):
    """CLIP with a small reader of captions, which come as numbers of words."""
    text_encoder = keras_ssl.encoders.text_transformer(12, 4, 8, 1, 2)
    return keras_ssl.CLIP(encoder, text_encoder, **{"projection": 8, **kwargs})


def _adapted(encoder, **kwargs):
    """ReCLIP of a small CLIP that knows the names of four classes."""
    words = keras.layers.TextVectorization(vocabulary=["a", "cat", "dog", "fox", "hen"])
    text_encoder = keras_ssl.encoders.text_transformer(words, 4, 8, 1, 2)
    clip = keras_ssl.CLIP(encoder, text_encoder, projection=8)
    names, templates = ["cat", "dog", "fox", "hen"], ["a {}", "{}"]
    settings = {"class_names": names, "templates": templates, "num_neighbors": 3, **kwargs}
    return keras_ssl.ReCLIP(clip, **settings)


FEW_LABELS = {
    "AdaMatch": _few_labels(keras_ssl.AdaMatch, warmup=3),
    "Dash": _few_labels(keras_ssl.Dash, warmup=2, decay_interval=1, decay=1.25, min_threshold=0.7),
    "FixMatch": _few_labels(keras_ssl.FixMatch, threshold=0.4),
    "FlexMatch": _few_labels(keras_ssl.FlexMatch, threshold=0.6, num_unlabeled=16),
    "FreeMatch": _few_labels(keras_ssl.FreeMatch, threshold_momentum=0.5),
    "MeanTeacher": _few_labels(keras_ssl.MeanTeacher, warmup=2),
    "PseudoLabel": _few_labels(keras_ssl.PseudoLabel, threshold=0.4, warmup=2),
    "SoftMatch": _few_labels(keras_ssl.SoftMatch, weight_momentum=0.5),
    "UDA": _few_labels(keras_ssl.UDA, threshold=0.4),
}
METHODS = {
    **FEW_LABELS,
    "BYOL": _small(keras_ssl.BYOL, predictor=(16, 8), momentum=0.75),
    "BarlowTwins": _small(keras_ssl.BarlowTwins),
    "CLIP": _captioned,
    "DINO": _small(keras_ssl.DINO, prototypes=12, momentum=0.75, teacher_temperature=0.05),
    "EMPSSL": _small(keras_ssl.EMPSSL),
    "DINOv2": _transformer(
        keras_ssl.DINOv2, projector=(16, 8), prototypes=12, momentum=0.75, teacher_temperature=0.2
    ),
    "DINOv2 centered": _transformer(
        *(keras_ssl.DINOv2, "mean"),
        projector=(16, 8),
        prototypes=12,
        shared_head=True,
        centering="running_mean",
        momentum=0.75,
        teacher_temperature=0.2,
    ),
    "MAE": _transformer(keras_ssl.MAE, "mean", decoder=(8, 1, 2)),
    "MoCo": _small(keras_ssl.MoCo, queue_size=48, momentum=0.75),
    "MoCo v3": _small(keras_ssl.MoCo, version=3, predictor=(16, 8), momentum=0.75),
    "NNCLR": _small(keras_ssl.NNCLR, predictor=(16, 8), queue_size=48),
    "ReCLIP": _adapted,
    "SimCLR": _small(keras_ssl.SimCLR),
    "SimSiam": _small(keras_ssl.SimSiam, predictor=(16, 8)),
    "SupCon": _small(keras_ssl.SupCon),
    "SwAV": _small(keras_ssl.SwAV, prototypes=12, freeze_prototypes_steps=0, queue_size=24),
    "VICReg": _small(keras_ssl.VICReg),
}
# Whose numbers on one JAX device are asked too: all are asked on two, where arrays are global.
ON_ONE_JAX_DEVICE = ("BYOL", "FixMatch", "MAE", "SimCLR")
HALF = ("mixed_float16", "mixed_bfloat16")
# How far two replicas of SimCLR may be from one device: by rounding alone.
ON_REPLICAS = {"float32": 1e-4, "mixed_float16": 0.01, "mixed_bfloat16": 0.03}
# Methods that exchange different things in the precision that TensorFlow's exchange cannot carry;
# the base in all.
EXCHANGING = ("CLIP", "DINOv2", "FixMatch", "NNCLR", "SimCLR", "SwAV")
ALL_CELLS = "KERAS_SSL_EQUALITY_TABLE"  # a file to write the table to, of all that can be asked
HALVED = [(name, "mixed_bfloat16") for name in EXCHANGING]
HALVED += [("DINO", "mixed_float16")]  # whose gradient overflows at first, on one of two replicas
if os.environ.get(ALL_CELLS):
    HALVED = [(name, policy) for name in METHODS for policy in HALF]
PRECISIONS = [*dict.fromkeys([*HALVED, ("SimCLR", "float32"), ("SimCLR", "mixed_float16")])]
# Methods asked of two workers, which exchange what replicas do; all of them for the whole table.
ON_WORKERS = ("CLIP", "DINO", "FixMatch", "ReCLIP", "SimCLR")
SYMMETRIC = set(METHODS) - set(FEW_LABELS) - {"CLIP", "DINOv2", "DINOv2 centered", "MAE", "MoCo"}
SYMMETRIC -= {"ReCLIP", "SwAV"}  # each crop of SwAV has a queue of its own
# Another value of each hyper-parameter: it must change the loss within a few steps.
OTHER_VALUES = {
    "AdaMatch": {"threshold": 0.99, "warmup": 6},
    "Dash": {
        "initial_threshold": "labeled",
        "warmup": 1,
        "decay_interval": 2,
        "decay": 1.05,
        "min_threshold": 0.9,
        "temperature": 1.0,
    },
    "FixMatch": {"threshold": 0.6, "unlabeled_weight": 0.5},
    "FlexMatch": {"unlabeled_weight": 0.5},
    "FreeMatch": {"threshold_momentum": 0.99, "fairness_weight": 0.1},
    "MeanTeacher": {"warmup": 6, "unlabeled_weight": 10.0, "ema_momentum": 0.25},
    "PseudoLabel": {"threshold": 0.6, "warmup": 6},
    "SoftMatch": {"n_sigma": 4.0, "weight_momentum": 0.99},
    "UDA": {"temperature": 1.0, "threshold": 0.6, "signal_annealing": "linear"},
    "BYOL": {"momentum": 0.5},
    "BarlowTwins": {"redundancy_weight": 0.1},
    "CLIP": {"projection": 4, "temperature": 0.01, "max_logit_scale": 3.0},
    "DINO": {
        "prototypes": 8,
        "student_temperature": 0.2,
        "teacher_temperature": 0.07,
        "center_momentum": 0.5,
        "momentum": 0.5,
        "freeze_prototypes_steps": 2,
    },
    "DINOv2": {
        "prototypes": 8,
        "shared_head": True,
        "student_temperature": 0.2,
        "teacher_temperature": 0.1,
        "centering": "running_mean",
        "momentum": 0.5,
        "patch_weight": 0.5,
        "koleo_weight": 0.5,
        "layer_decay": 0.5,
        "freeze_prototypes_steps": 2,
    },
    "DINOv2 centered": {"center_momentum": 0.5},
    "EMPSSL": {"invariance": 100.0, "epsilon": 0.5},
    "MAE": {"decoder": (8, 2, 2), "normalize": False},
    "MoCo": {"temperature": 0.5, "momentum": 0.5, "queue_size": 16},
    "MoCo v3": {"temperature": 0.5, "momentum": 0.5},
    "NNCLR": {"temperature": 0.5, "queue_size": 16},
    "ReCLIP": {
        "training_template": "a {}",
        "project_text": False,
        "num_neighbors": None,
        "alpha": 0.5,
    },
    "SimCLR": {"temperature": 0.1},
    "SimSiam": {"predictor_learning_rate": 0.01},
    "SupCon": {"temperature": 0.5},
    "SwAV": {
        "prototypes": 8,
        "temperature": 0.2,
        "epsilon": 0.1,
        "iterations": 1,
        "queue_size": 16,
        "queue_start": 2,
        "freeze_prototypes_steps": 2,
    },
    "VICReg": {"invariance": 10.0, "variance": 10.0, "covariance": 5.0},
}
# A learning rate at which the loss falls, where it is not 0.125: losses differ in scale.
RATES = {"BarlowTwins": 2**-6, "EMPSSL": 2**-6, "VICReg": 2**-6}


def small_encoder(channels=3, width=6, batch_norm=True):
    """Convolution, batch norm and pooling, for images of any size."""
    images = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(width, 3, strides=2, use_bias=False)(images)
    if batch_norm:
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Activation("tanh")(x)
    x = keras.layers.GlobalMaxPooling2D()(x)  # average pooling is float32 on JAX
    return keras.Model(images, keras.layers.Activation("linear", dtype=keras.config.floatx())(x))


def two_views(count=32, seed=0):
    """Two related views of `count` different images, arrays `(count, 8, 8, 3)` in 0..1."""
    rng = np.random.default_rng(seed)
    images = rng.random((count, 8, 8, 3))
    noisy = [np.clip(images + rng.normal(0, 0.1, images.shape), 0, 1) for _ in range(2)]
    return tuple(view.astype(keras.config.floatx()) for view in noisy)


def labels(count):
    """Four classes in turn; SupCon reads them, the others must not mind."""
    return np.arange(count) % 4


def make(name, **kwargs):
    """A method with weights that NumPy drew, so that they are the same on every backend."""
    model = METHODS[name](small_encoder(), **kwargs)
    model.rate = RATES.get(name, 0.125)  # exact in float32, in which Keras holds it on JAX
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            rng.normal(0, 0.3, w.shape).astype(w.dtype) if w.ndim > 1 else w
            for w in model.get_weights()
        ]
    )
    return model


class FewLabels(keras.utils.PyDataset):
    """Batches for those that learn from few labels: of each batch half the images carry them.

    The first view is the weak one, the second the strong one.
    """

    def __init__(self, views, batch_size):
        super().__init__()
        self.views, self.batch_size = views, batch_size

    def __len__(self):
        return len(self.views[0]) // self.batch_size

    def __getitem__(self, position):
        index = np.arange(position * self.batch_size, (position + 1) * self.batch_size)
        weak, strong = (view[index] for view in self.views)
        truth = labels(len(self.views[0]))[index]
        index = index % 16  # as a second epoch would
        unlabeled = {"weak": weak, "strong": strong, "index": index, "unlabeled_labels": truth}
        few, few_labels = labeled_part((weak, strong))
        return {"labeled": few, **unlabeled}, few_labels


def labeled_part(views):
    """The images of a batch that carry labels, and these."""
    few = len(views[0]) // 2
    return views[0][:few], labels(few)


def train(model, views, batch_size=16, epochs=2, optimizer=None, run_eagerly=False, **kwargs):
    """Compiles unless done and fits in the order of the arrays. Returns the history."""
    few_labels = isinstance(model, keras_ssl.SemiSupervisedModel)
    if not model.compiled:
        optimizer = optimizer or keras.optimizers.SGD(model.rate, momentum=0.875)
        metrics = ["accuracy"] if few_labels else None
        model.compile(optimizer, metrics=metrics, run_eagerly=run_eagerly)
    if few_labels:
        data = FewLabels(views, batch_size)
        return model.fit(data, epochs=epochs, verbose=0, **kwargs).history
    return model.fit(
        *given(model, views),
        batch_size=batch_size,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        **kwargs,
    ).history


def evaluate(model, views, batch_size=16):
    """The logs of `evaluate`, a list."""
    if isinstance(model, (keras_ssl.SemiSupervisedModel, keras_ssl.ReCLIP)):
        x, y = views[0], labels(len(views[0]))
    else:
        x, y = given(model, views)
    return np.ravel(model.evaluate(x, y, batch_size=batch_size, verbose=0))


def given(model, views):
    """What a method takes beside or instead of some of two views, and what comes with images."""
    if isinstance(model, keras_ssl.ReCLIP):
        return views[0], labels(len(views[0]))
    if isinstance(model, keras_ssl.CLIP):
        return views[:1], captions(len(views[0]))
    return with_masks(model, views), labels(len(views[0]))


def captions(count):
    """Numbers of one to four words, `(count, 4)`, filled up with 0."""
    words = np.random.default_rng(7).integers(1, 12, (count, 4))
    return np.where(np.arange(4) <= np.arange(count)[:, None] % 4, words, 0)


def with_masks(model, views):
    """Adds masks of 12 of 16 patches where a method takes them, one for each view that it has."""
    if not model.num_masks:
        return views
    draws = np.random.default_rng(3).random((model.num_masks, len(views[0]), 16))
    masks = np.argsort(np.argsort(draws)) < 12
    return (*views[: model.num_masks], *masks)


def arrays(weights):
    """Copies of weights."""
    return [keras.ops.convert_to_numpy(weight).copy() for weight in weights]


def numbers(model, history, with_features=True):
    """All that two equal runs must share: logs, weights, features.

    The last batch of evaluation is of one image: most replicas have no part of it.
    """
    views = two_views(5, seed=9)
    named = {f"log_{name}": np.array(values) for name, values in history.items()}
    named |= {f"weight_{i}": value for i, value in enumerate(model.get_weights())}
    named["evaluate"] = evaluate(model, views, batch_size=4)
    if with_features:
        named["features"] = model.predict(views[0], batch_size=4, verbose=0)
    return named


def numbers_of(name, run_eagerly=False):
    """Trains a method and returns its numbers; `predict` is the base's, and asked of one alone."""
    model = make(name)
    history = train(model, two_views(), run_eagerly=run_eagerly)
    return numbers(model, history, with_features=name in ("FixMatch", "SimCLR"))


def assert_equal(left, right, tolerance=1e-8, where=""):
    """Asserts that two results of `numbers` hold the same."""
    assert left.keys() == right.keys(), where
    for key in left:
        message = f"{where}: {key}"
        # Relative where numbers are far above 1, as the scale of CLIP is: in float64 alone.
        near = {"rtol": min(tolerance, 1e-8), "atol": tolerance}
        np.testing.assert_allclose(left[key], right[key], **near, err_msg=message)


def in_float64():
    """Computes in float64, where rounding hides nothing."""
    # On JAX many of Keras's operations return float32 from float64; here they must not.
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


def main(path, where):
    """Trains each method and saves its numbers: in float64, or in less, on replicas."""
    strategy = contextlib.nullcontext()
    if where == "data_parallel":
        import jax

        # Not one step ahead of another: two devices on few cores may wait for each other for ever.
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    if where in ("mirrored", "precisions"):
        import tensorflow as tf

        devices = 4 if where == "mirrored" else 2
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * devices,
        )
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(devices)]).scope()
    if where == "workers":  # two processes, told of each other by TF_CONFIG
        strategy = keras_ssl.distribute.strategy("multiworker").scope()
    names = {"one_device": ON_ONE_JAX_DEVICE, "workers": ON_WORKERS}.get(where, METHODS)
    if os.environ.get(ALL_CELLS):
        names = METHODS
    cases = PRECISIONS if where == "precisions" else [(name, "float64") for name in names]
    results = {}
    with strategy:
        for name, policy in cases:
            if policy == "float64":
                in_float64()
            keras.config.set_dtype_policy(policy)
            # Without a trace for each of four replicas: two, in another process, have theirs.
            found = numbers_of(name, run_eagerly=where == "mirrored" and name != "SimCLR")
            results |= {f"{name}/{policy}/{key}": value for key, value in found.items()}
    np.savez(path, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
