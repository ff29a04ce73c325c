import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("JAX_ENABLE_X64", "1")  # some tests compute in float64
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")

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
def rng():
    return np.random.default_rng(0)
