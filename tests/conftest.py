import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
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


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Each test starts from one seed and leaves no global setting behind."""
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.utils.clear_session(free_memory=False)


@pytest.fixture
def float64():
    method_checks.in_float64()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
