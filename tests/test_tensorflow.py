"""TensorFlow leaves the GPU to the backend that computes on it."""

import pytest
from processes import run_python

LOAD = """
import sys, warnings
import tensorflow as tf
calls = []

def set_visible_devices(devices, kind):
    calls.append((devices, kind))
    if "initialized" in sys.argv:
        raise RuntimeError("Visible devices cannot be modified after being initialized")

tf.config.set_visible_devices = set_visible_devices
tf.config.list_logical_devices = lambda kind: [f"{kind}:0"]
import keras_ssl
assert not calls
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    keras_ssl.data.load("digits")
print(calls, [str(w.message) for w in caught if "memory of the GPU" in str(w.message)])
"""


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "calls"), [("jax", [([], "GPU")]), ("tensorflow", [])])
def test_only_the_tensorflow_backend_shows_tensorflow_the_gpu(backend, calls):
    assert run_python(LOAD, KERAS_BACKEND=backend).strip() == f"{calls} []"


@pytest.mark.slow
def test_a_program_that_used_tensorflow_before_is_warned():
    printed = run_python(LOAD, "initialized", KERAS_BACKEND="jax")
    assert 'Call tf.config.set_visible_devices([], "GPU") before any other use' in printed
