"""One device, replicas and backends: every method comes to the same numbers on all of them."""

import os
import subprocess
import sys

import keras
import method_checks as checks
import numpy as np
import pytest

each_method = pytest.mark.parametrize("name", checks.METHODS)


@each_method
def test_replicas_and_jax_equal_one_device(name, float64, replicas, elsewhere):
    expected = checks.numbers_of(name)
    with replicas.scope():
        found = checks.numbers_of(name)
    checks.assert_equal(found, expected, where="two replicas")
    for where in ("four replicas", "jax", "two devices of jax"):
        if where == "jax" and name not in checks.ON_ONE_JAX_DEVICE:
            continue
        prefix, there = f"{name}/float64/", elsewhere[where]
        found = {k.removeprefix(prefix): v for k, v in there.items() if k.startswith(prefix)}
        checks.assert_equal(found, expected, where=where)


def in_precision(name, policy, elsewhere):
    """What a method gives here and on two replicas."""
    keras.config.set_dtype_policy(policy)
    prefix, there = f"{name}/{policy}/", elsewhere["precisions"]
    found = {k.removeprefix(prefix): v for k, v in there.items() if k.startswith(prefix)}
    return found, checks.numbers_of(name)


@pytest.mark.parametrize("policy", checks.ON_REPLICAS)
def test_every_precision_on_two_replicas_is_near_one_device(policy, elsewhere):
    found, expected = in_precision("SimCLR", policy, elsewhere)
    checks.assert_equal(found, expected, checks.ON_REPLICAS[policy], where=policy)


@pytest.mark.parametrize("name", [n for n, policy in checks.PRECISIONS if "bfloat" in policy])
def test_two_replicas_exchange_what_half_precision_computes(name, elsewhere):
    found, expected = in_precision(name, "mixed_bfloat16", elsewhere)
    assert all(np.all(np.isfinite(values)) for values in found.values())
    # The first epoch's alone: batch norm of few rows lets rounding grow from step to step.
    assert found["log_loss"][0] == pytest.approx(expected["log_loss"][0], rel=0.05, abs=0.05)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """What each method gives in other processes: on the JAX backend, and on four replicas."""
    folder = tmp_path_factory.mktemp("elsewhere")
    # On a busy machine one of two devices may wait for the other for longer than XLA thinks right.
    patient = "--xla_cpu_collective_call_terminate_timeout_seconds=600"
    quick = "--xla_backend_optimization_level=0"  # to compile, which takes most of the time
    flags = f"{os.environ['XLA_FLAGS']} {patient} {quick}"
    on_jax = {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "XLA_FLAGS": flags}
    runs = {
        "two devices of jax": ("data_parallel", on_jax),
        "four replicas": ("mirrored", {"KERAS_BACKEND": "tensorflow"}),
        "jax": ("one_device", on_jax),
        "precisions": ("precisions", {"KERAS_BACKEND": "tensorflow"}),
    }
    waiting = list(runs.values())
    while waiting:  # two at a time, one for each core
        started = []
        for option, environment in waiting[:2]:
            command = [sys.executable, checks.__file__, str(folder / f"{option}.npz"), option]
            environment = {**os.environ, **environment}
            started.append(
                subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
            )
        errors = [process.communicate()[1] for process in started]
        for process, error in zip(started, errors, strict=True):
            assert process.returncode == 0, error[-3000:]
        waiting = waiting[2:]
    return {where: dict(np.load(folder / f"{runs[where][0]}.npz")) for where in runs}
