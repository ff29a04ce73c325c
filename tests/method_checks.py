"""The methods under test, and what every check needs: an encoder, views, one way to train.

Run as a script it trains each method and writes what came out, to compare with this process:
`python method_checks.py OUT.npz one_device`, or `data_parallel` (JAX), `mirrored` (four replicas),
`precisions` (on four replicas).
"""

import contextlib
import sys

import keras
import numpy as np
from keras.src.backend.common import dtypes

import keras_ssl

METHODS = {
    "SimCLR": lambda encoder, **kwargs: keras_ssl.SimCLR(encoder, projector=(16, 8), **kwargs),
}
HALF = ("mixed_float16", "mixed_bfloat16")
# How far four replicas may be from one device: by rounding alone.
ON_REPLICAS = {"float32": 1e-4, "mixed_float16": 0.01, "mixed_bfloat16": 0.03}
SYMMETRIC = {"SimCLR"}
# Another value of each hyper-parameter: it must change the loss.
OTHER_VALUES = {"SimCLR": {"temperature": 0.1}}


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


def make(name, batch_norm=True, **kwargs):
    """A method with weights that NumPy drew, so that they are the same on every backend."""
    model = METHODS[name](small_encoder(batch_norm=batch_norm), **kwargs)
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            rng.normal(0, 0.3, w.shape).astype(w.dtype) if w.ndim > 1 else w
            for w in model.get_weights()
        ]
    )
    return model


def train(model, views, batch_size=16, epochs=2, optimizer=None, **kwargs):
    """Compiles unless done and fits in the order of the arrays. Returns the history."""
    if not model.compiled:
        # Exact in float32, in which Keras holds these numbers on JAX.
        model.compile(optimizer or keras.optimizers.SGD(0.125, momentum=0.875))
    return model.fit(
        views, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0, **kwargs
    ).history


def arrays(weights):
    """Copies of weights."""
    return [keras.ops.convert_to_numpy(weight).copy() for weight in weights]


def numbers(model, history):
    """All that two equal runs must share: logs, weights, features.

    The last batch of evaluation is of one image: most replicas have no part of it.
    """
    views = two_views(5, seed=9)
    named = {f"log_{name}": np.array(values) for name, values in history.items()}
    named |= {f"weight_{i}": value for i, value in enumerate(model.get_weights())}
    named["features"] = model.predict(views[0], batch_size=4, verbose=0)
    named["evaluate"] = np.array(model.evaluate(views, batch_size=4, verbose=0))
    return named


def assert_equal(left, right, tolerance=1e-8):
    """Asserts that two results of `numbers` hold the same."""
    assert left.keys() == right.keys()
    for key in left:
        np.testing.assert_allclose(left[key], right[key], rtol=0, atol=tolerance, err_msg=key)


def in_float64():
    """Computes in float64, where rounding hides nothing."""
    # On JAX many of Keras's operations return float32 from float64; here they must not.
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


def main(path, where):
    """Trains each method and saves its numbers: in float64, with and without batch norm; or in
    less, on replicas.
    """
    strategy = contextlib.nullcontext()
    if where == "data_parallel":
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    if where in ("mirrored", "precisions"):
        import tensorflow as tf

        devices = [tf.config.LogicalDeviceConfiguration()] * 4
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], devices
        )
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(4)]).scope()
    if where != "precisions":
        in_float64()
    results = {}
    with strategy:
        for name in METHODS:
            for case in ON_REPLICAS if where == "precisions" else (True, False):
                if where == "precisions":
                    keras.config.set_dtype_policy(case)
                model = make(name, batch_norm=case is not False)
                found = numbers(model, train(model, two_views()))
                results |= {f"{name}/{case}/{key}": value for key, value in found.items()}
    np.savez(path, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
