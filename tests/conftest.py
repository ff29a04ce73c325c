import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("JAX_ENABLE_X64", "1")  # some tests compute in float64
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")

import keras
import method_checks
import numpy as np
import pytest
import tensorflow as tf

# Replicas: four devices on one CPU, made before TensorFlow looks at it.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)


def pytest_collection_modifyitems(items):
    """Leaves out what a backend does not have: replicas on JAX."""
    if keras.backend.backend() != "tensorflow":
        skip = pytest.mark.skip(reason="tf.distribute needs the TensorFlow backend")
        for item in items:
            if "replicas" in item.name:
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Each test starts from one seed and leaves no global setting behind."""
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.utils.clear_session(free_memory=False)


@pytest.fixture(scope="session")
def replicas():
    """One strategy of two replicas for all tests: TensorFlow confuses the exchanges of several."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def float64():
    method_checks.in_float64()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
