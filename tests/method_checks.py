"""Helpers to make, train and compare the methods, in this process and in others.

As a script, trains methods and saves their numbers, which `tests/models/test_equality.py` compares
with one device: `python method_checks.py OUT.npz PLACE`, with a place of `PLACES`.
"""

import functools
import importlib.util
import os
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.backend.common import dtypes

import keras_ssl

TESTS = Path(__file__).parent
HALF = ("mixed_float16", "mixed_bfloat16")
# How far SimCLR on two replicas may be from one device, because of rounding.
ON_REPLICAS = {"float32": 1e-4, "mixed_float16": 0.01, "mixed_bfloat16": 0.03}
# Names a file. Comparisons then cover every method in every place, and the table is written to it.
ALL_CELLS = "KERAS_SSL_EQUALITY_TABLE"


@functools.cache
def specs():
    """Returns a dict from the name of each method, or of each form of one, to its `MethodSpec`.

    Test files declare them, see `method_spec`.
    """
    collected = {}
    for path in sorted((TESTS / "models").glob("*/**/test_*.py")):
        module = _import_test_file(path)
        declared = vars(module).get("SPECS", {})
        if "SPEC" in vars(module):
            declared = {module.SPEC.method.__name__: module.SPEC}
        collected |= declared
    return dict(sorted(collected.items()))


def _import_test_file(path):
    """Imports a test file under the name that pytest gives it, so that both share one module."""
    name = ".".join(("tests", *path.relative_to(TESTS).with_suffix("").parts))
    if name not in sys.modules:
        # The finders of `sys.meta_path` include pytest's, which rewrites assertions.
        found = (finder.find_spec(name, [str(path.parent)]) for finder in sys.meta_path)
        module_spec = next(spec for spec in found if spec is not None)
        module = importlib.util.module_from_spec(module_spec)
        sys.modules[name] = module
        module_spec.loader.exec_module(module)
    return sys.modules[name]


def names(where=lambda spec: True):
    """Returns the names of the specs for which `where` is true."""
    return [name for name, spec in specs().items() if where(spec)]


def slow_except(quick, method_names=None):
    """Returns the parameters of a test of each method, a slow test unless the method is in `quick`.

    Args:
        quick: Names of methods.
        method_names: Names of all methods to test; None for those of `specs()`.
    """
    return [
        pytest.param(name, marks=[] if name in quick else [pytest.mark.slow])
        for name in (specs() if method_names is None else method_names)
    ]


def representatives():
    """Returns the methods to compare in further places: one of each family, or all."""
    return names(lambda spec: spec.representative or os.environ.get(ALL_CELLS))


def trained_on_workers():
    """Returns the methods to compare on two workers."""
    return names(lambda spec: spec.on_workers or os.environ.get(ALL_CELLS))


def is_semi_supervised(name):
    """Returns whether a method needs labeled and unlabeled images."""
    return issubclass(specs()[name].method, keras_ssl.SemiSupervisedModel)


def half_precision_cases():
    """Returns pairs of a method and a policy to compare on two replicas."""
    if os.environ.get(ALL_CELLS):
        return [(name, policy) for name in specs() for policy in HALF]
    return [(name, policy) for name, spec in specs().items() for policy in spec.half_precision]


def small_encoder(channels=3, width=6, batch_norm=True):
    """Returns a convolution, batch norm and pooling for images of any size."""
    images = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(width, 3, strides=2, use_bias=False)(images)
    if batch_norm:
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Activation("tanh")(x)
    x = keras.layers.GlobalMaxPooling2D()(x)  # average pooling is float32 on JAX
    return keras.Model(images, keras.layers.Activation("linear", dtype=keras.config.floatx())(x))


def two_views(count=32, seed=0):
    """Returns two related views of `count` different images, arrays `(count, 8, 8, 3)` in 0..1."""
    rng = np.random.default_rng(seed)
    images = rng.random((count, 8, 8, 3))
    noisy = [np.clip(images + rng.normal(0, 0.1, images.shape), 0, 1) for _ in range(2)]
    return tuple(view.astype(keras.config.floatx()) for view in noisy)


def labels(count):
    """Returns labels of four classes in turn. SupCon reads them; other methods ignore them."""
    return np.arange(count) % 4


def make(name, encoder=None, **kwargs):
    """Returns a small model with weights drawn by NumPy, equal on every backend.

    Args:
        name: String, a key of `specs()`.
        encoder: Model from images to features; `small_encoder()` if None.
        **kwargs: Arguments of the method.
    """
    spec = specs()[name]
    model = spec.make(encoder or small_encoder(), **kwargs)
    model.rate = spec.learning_rate
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            rng.normal(0, 0.3, w.shape).astype(w.dtype) if w.ndim > 1 else w
            for w in model.get_weights()
        ]
    )
    return model


class FewLabels(keras.utils.PyDataset):
    """Batches for semi-supervised methods: half of the images of a batch are labeled too.

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
        index = index % 16  # as in a second epoch
        unlabeled = {"weak": weak, "strong": strong, "index": index, "unlabeled_labels": truth}
        labeled, labeled_labels = labeled_part((weak, strong))
        return {"labeled": labeled, **unlabeled}, labeled_labels


def labeled_part(views):
    """Returns the labeled images of a batch, and their labels."""
    count = len(views[0]) // 2
    return views[0][:count], labels(count)


def train(
    model,
    views,
    batch_size=16,
    epochs=2,
    optimizer=None,
    run_eagerly=None,
    jit_compile="auto",
    **kwargs,
):
    """Compiles a model unless it is compiled, and fits it on arrays in order.

    Args:
        model: The method.
        views: Tuple of arrays, one for each view.
        batch_size: Int.
        epochs: Int.
        optimizer: SGD with momentum if None.
        run_eagerly: Bool. None to do what takes less time for a few steps: TensorFlow runs them
            eagerly, and JAX, which compiles each operation by itself otherwise, compiles the step.
        jit_compile: As in `compile`.
        **kwargs: Arguments of `fit`.

    Returns:
        A dict from names to the logs of each epoch.
    """
    is_semi_supervised = isinstance(model, keras_ssl.SemiSupervisedModel)
    if not model.compiled:
        optimizer = optimizer or keras.optimizers.SGD(model.rate, momentum=0.875)
        metrics = ["accuracy"] if is_semi_supervised else None
        if run_eagerly is None:
            run_eagerly = keras.backend.backend() == "tensorflow"
        model.compile(optimizer, metrics=metrics, run_eagerly=run_eagerly, jit_compile=jit_compile)
    if is_semi_supervised:
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


def run_eagerly(model):
    """Runs a compiled model eagerly from now on, which is faster for a few steps."""
    model.run_eagerly = True
    model.make_train_function(force=True)
    model.make_test_function(force=True)


def evaluate(model, views, batch_size=16):
    """Returns the logs of `evaluate`, an array."""
    if isinstance(model, (keras_ssl.SemiSupervisedModel, keras_ssl.ReCLIP)):
        x, y = views[0], labels(len(views[0]))
    else:
        x, y = given(model, views)
    return np.ravel(model.evaluate(x, y, batch_size=batch_size, verbose=0))


def given(model, views):
    """Returns `x` and `y` for a method, from two views."""
    if isinstance(model, keras_ssl.ReCLIP):
        return views[0], labels(len(views[0]))
    if isinstance(model, keras_ssl.CLIP):
        return views[:1], captions(len(views[0]))
    return with_masks(model, views), labels(len(views[0]))


def captions(count):
    """Returns token ids of captions of one to four words, `(count, 4)`, padded with 0."""
    token_ids = np.random.default_rng(7).integers(1, 12, (count, 4))
    return np.where(np.arange(4) <= np.arange(count)[:, None] % 4, token_ids, 0)


def with_masks(model, views):
    """Appends masks of 12 of 16 patches to the views, if the method takes masks."""
    if not model.num_masks:
        return views
    draws = np.random.default_rng(3).random((model.num_masks, len(views[0]), 16))
    masks = np.argsort(np.argsort(draws)) < 12
    return (*views[: model.num_masks], *masks)


def arrays(weights):
    """Returns copies of weights, as arrays."""
    return [keras.ops.convert_to_numpy(weight).copy() for weight in weights]


def numbers(model, history, with_features=True):
    """Returns a dict of arrays that are equal for equal runs: logs, weights, features.

    The last batch of the evaluation has one image, so most replicas have none.
    """
    views = two_views(5, seed=9)
    named = {f"log_{name}": np.array(values) for name, values in history.items()}
    named |= {f"weight_{i}": value for i, value in enumerate(model.get_weights())}
    named["evaluate"] = evaluate(model, views, batch_size=4)
    if with_features:
        named["features"] = model.predict(views[0], batch_size=4, verbose=0)
    return named


def numbers_of(name, run_eagerly=False, epochs=2, **options):
    """Trains a method and returns its `numbers`, with features for two methods only.

    All methods of a family share `predict`. The options are those of `train`.
    """
    model = make(name)
    history = train(model, two_views(), epochs=epochs, run_eagerly=run_eagerly, **options)
    return numbers(model, history, with_features=name in ("FixMatch", "SimCLR"))


def assert_equal(left, right, tolerance=1e-8, where=""):
    """Asserts that two results of `numbers` are equal up to a tolerance."""
    assert left.keys() == right.keys(), where
    for key in left:
        message = f"{where}: {key}"
        # Relative for numbers far above 1, such as the scale of CLIP: in float64 only.
        near = {"rtol": min(tolerance, 1e-8), "atol": tolerance}
        np.testing.assert_allclose(left[key], right[key], **near, err_msg=message)


def in_float64():
    """Sets float64, in which rounding hides no error, for the rest of the process.

    Tests take the fixture `float64` instead, which restores the precision.
    """
    # On JAX many of Keras's operations return float32 from float64 otherwise.
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


def numbers_in_float64(method_names):
    """Returns the numbers of methods in float64, under keys `name/float64/key`."""
    in_float64()
    return {
        f"{name}/float64/{key}": value
        for name in method_names
        for key, value in numbers_of(name).items()
    }


def on_jax():
    """Some methods on one JAX device, then all methods on two."""
    import jax

    # No device may be a step ahead: two devices on few cores may wait for each other forever.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    one = numbers_in_float64(representatives())
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    two = numbers_in_float64(specs())
    return {f"one/{key}": value for key, value in one.items()} | {
        f"two/{key}": value for key, value in two.items()
    }


def do_not_optimize_graphs():
    """Sets TensorFlow to run graphs as they are: to optimize those of a test takes longer."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def on_two_workers():
    """Some methods on one of two workers, which `TF_CONFIG` describes."""
    do_not_optimize_graphs()
    with keras_ssl.distribute.strategy("multiworker").scope():
        return numbers_in_float64(trained_on_workers())


def in_lower_precision():
    """Some methods on two replicas, in float32 and in half precision."""
    import tensorflow as tf

    do_not_optimize_graphs()
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    results = {}
    # The strategy comes first: importing the specs initializes the devices.
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        cases = [*half_precision_cases(), ("SimCLR", "float32"), ("SimCLR", "mixed_float16")]
        for name, policy in dict.fromkeys(cases):
            keras.config.set_dtype_policy(policy)
            for key, value in numbers_of(name).items():
                results[f"{name}/{policy}/{key}"] = value
    return results


PLACES = {
    "jax": on_jax,
    "precisions": in_lower_precision,
    "workers": on_two_workers,
}


if __name__ == "__main__":
    path, place = sys.argv[1:]
    # Test files import this module under its name.
    sys.modules["method_checks"] = sys.modules["__main__"]
    np.savez(path, **PLACES[place]())
