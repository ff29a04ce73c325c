import gc
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("JAX_ENABLE_X64", "1")  # some tests compute in float64
# Two devices on JAX, and half of the time of its compilation, which takes most of that of a test.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0 "
    "--xla_cpu_use_fusion_emitters=false",
)

import keras
import method_checks
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.common import dtypes

# Four devices on one CPU for replicas, set before TensorFlow initializes.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)
# The recipes, which run in other processes, are tested with the default.
method_checks.do_not_optimize_graphs()

# Files and directories that run with KERAS_BACKEND=jax too: `pytest -m backend_neutral`.
BACKEND_NEUTRAL = (
    "data/test_semi_supervised_arrays.py",
    "layers",
    "losses",
    "models/self_supervised",
    "models/semi_supervised",
    "optimizers",
    "test_numerics.py",
    "test_schedules.py",
    "training/fit/test_device_views.py",
    "training/fit/test_semi_supervised_on_device.py",
    "training/step/test_batch_norm_statistics.py",
    "training/step/test_nan_guard.py",
    "training/test_microbatches.py",
    "training/test_state.py",
    "views/randaugment/test_operations.py",
    "views/test_device.py",
    "views/test_draws.py",
)


def pytest_collection_finish():
    """Collects garbage less often, and not among imported modules: it took a tenth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 10)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks what runs on each backend, and skips on JAX what needs TensorFlow."""
    tests, skip = Path(__file__).parent, pytest.mark.skip(reason="needs the TensorFlow backend")
    for item in items:
        path = item.path.relative_to(tests) if item.path.is_relative_to(tests) else item.path
        if any(path.is_relative_to(neutral) for neutral in BACKEND_NEUTRAL):
            item.add_marker("backend_neutral")
        if item.get_closest_marker("tensorflow") and keras.backend.backend() != "tensorflow":
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Sets one seed before each test and restores the global settings of Keras after it."""
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.utils.clear_session(free_memory=False)


@pytest.fixture(scope="session")
def replicas():
    """A strategy of two replicas for all tests: TensorFlow mixes up the collectives of several."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.distribute needs the TensorFlow backend")
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def float64(monkeypatch):
    """Computes in float64 during a test."""
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    method_checks.in_float64()


@pytest.fixture
def graph_optimizer():
    """Optimizes graphs during a test, as other processes do, whose rounding it expects."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture
def rng():
    return np.random.default_rng(0)
