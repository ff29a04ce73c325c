"""Every method gives the same numbers on one device, on replicas, on workers and on JAX."""

import functools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf
from processes import shared_between_workers

PLACES = (
    "XLA",
    "two replicas",
    "four replicas",
    "two workers",
    "one JAX device",
    "two JAX devices",
)
each_method = pytest.mark.parametrize("name", checks.specs())


@functools.cache
def on_one_device(name, epochs):
    """The numbers of a method in float64, without a trace."""
    return checks.numbers_of(name, run_eagerly=True, epochs=epochs)


class Table:
    """The largest relative difference of each method in each place, as Markdown."""

    def __init__(self):
        self.cells = {}

    def add(self, name, place, numbers, expected):
        """Adds the difference between two results of `checks.numbers`."""
        differences = [
            np.max(np.abs(numbers[key] - value)) / max(np.max(np.abs(value)), 1e-3)
            for key, value in expected.items()
            if value.size
        ]
        largest = max(differences)
        self.cells[name, place] = f"{largest:.0e}" if largest else "0"

    def write(self, path):
        """Writes the table, with a row for each method."""
        lines = [f"| method | {' | '.join(PLACES)} |", "|---" * (1 + len(PLACES)) + "|"]
        for name in dict.fromkeys(name for name, _ in self.cells):
            cells = [self.cells.get((name, place), "-") for place in PLACES]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def table():
    """A table, which is written only if a file for it is named."""
    table = Table()
    yield table
    if os.environ.get(checks.ALL_CELLS):
        table.write(Path(os.environ[checks.ALL_CELLS]))


@pytest.fixture
def matches_one_device(float64, table):
    """A function that compares the numbers of a method in some place with those of one device."""

    def compare(name, place, numbers, epochs=2):
        expected = on_one_device(name, epochs)
        checks.assert_equal(numbers, expected, where=place)
        table.add(name, place, numbers, expected)

    return compare


def cell(archive, prefix):
    """The numbers whose keys start with a prefix."""
    return {k.removeprefix(prefix): v for k, v in archive.items() if k.startswith(prefix)}


@pytest.mark.parametrize("name", checks.slow_except(("SimCLR", "FixMatch")))
def test_two_replicas_match_one_device(name, replicas, matches_one_device):
    with replicas.scope():
        numbers = checks.numbers_of(name)
    matches_one_device(name, "two replicas", numbers)


@pytest.mark.slow
@each_method
def test_two_jax_devices_match_one_device(name, on_jax, matches_one_device):
    matches_one_device(name, "two JAX devices", cell(on_jax, f"two/{name}/float64/"))


@pytest.mark.slow
@pytest.mark.parametrize("name", checks.representatives())
def test_one_jax_device_matches_one_device(name, on_jax, matches_one_device):
    matches_one_device(name, "one JAX device", cell(on_jax, f"one/{name}/float64/"))


@pytest.mark.parametrize("name", checks.names(lambda spec: spec.representative))
def test_traced_steps_match_eager_steps(name, float64):
    checks.assert_equal(checks.numbers_of(name), on_one_device(name, epochs=2))


@pytest.mark.slow
@each_method
def test_steps_compiled_by_xla_match_one_device(name, matches_one_device):
    numbers = checks.numbers_of(name, jit_compile=True, epochs=1)
    matches_one_device(name, "XLA", numbers, epochs=1)


@pytest.mark.slow
@each_method
def test_four_replicas_match_one_device(name, four_replicas, matches_one_device):
    # Two steps, and only those of SimCLR in a graph: two replicas run four, all in graphs.
    with four_replicas.scope():
        numbers = checks.numbers_of(name, run_eagerly=name != "SimCLR", epochs=1)
    matches_one_device(name, "four replicas", numbers, epochs=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", checks.trained_on_workers())
def test_two_workers_match_one_device(name, on_two_workers, matches_one_device):
    matches_one_device(name, "two workers", cell(on_two_workers, f"{name}/float64/"))


@pytest.mark.slow
@pytest.mark.parametrize("policy", checks.ON_REPLICAS)
def test_simclr_in_every_precision_on_two_replicas_is_near_one_device(policy, in_lower_precision):
    keras.config.set_dtype_policy(policy)
    numbers, expected = cell(in_lower_precision, f"SimCLR/{policy}/"), checks.numbers_of("SimCLR")
    checks.assert_equal(numbers, expected, checks.ON_REPLICAS[policy], where=policy)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "policy"), checks.half_precision_cases())
def test_two_replicas_exchange_what_half_precision_computes(name, policy, in_lower_precision):
    keras.config.set_dtype_policy(policy)
    numbers, expected = cell(in_lower_precision, f"{name}/{policy}/"), checks.numbers_of(name)
    assert all(np.all(np.isfinite(values)) for values in numbers.values())
    if policy == "mixed_float16":  # steps that overflow are skipped, and not the same ones here
        return
    # Only the first epoch: with batch norm of few rows, rounding grows from step to step.
    assert numbers["log_loss"][0] == pytest.approx(expected["log_loss"][0], rel=0.05, abs=0.05)


def run_in(place, path, **environment):
    """Starts a process that writes the numbers of methods in one of `checks.PLACES` to a file."""
    return subprocess.Popen(
        [sys.executable, checks.__file__, str(path), place],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def results_of(tmp_path_factory, place, *environments):
    """The numbers in a place, of the first of the processes with these environments."""

    def compute(directory):
        processes = [
            run_in(place, directory / f"{index}.npz", **environment)
            for index, environment in enumerate(environments)
        ]
        errors = [process.communicate()[1] for process in processes]
        for process, error in zip(processes, errors, strict=True):
            assert process.returncode == 0, error[-3000:]

    directory = shared_between_workers(tmp_path_factory, place, compute)
    return dict(np.load(directory / "0.npz"))


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    # On a busy machine one of two devices may wait for the other for longer than XLA allows.
    patient = "--xla_cpu_collective_call_terminate_timeout_seconds=600"
    flags = f"{os.environ['XLA_FLAGS']} {patient}"
    environment = {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "XLA_FLAGS": flags}
    return results_of(tmp_path_factory, "jax", environment)


@pytest.fixture(scope="module")
def four_replicas():
    """A strategy without collectives, for which TensorFlow builds graphs in each eager step."""
    devices = [f"CPU:{index}" for index in range(4)]
    return tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())


@pytest.fixture(scope="module")
def in_lower_precision(tmp_path_factory):
    return results_of(tmp_path_factory, "precisions", {"KERAS_BACKEND": "tensorflow"})


@pytest.fixture(scope="module")
def on_two_workers(tmp_path_factory):
    ports = free_ports(2)
    environments = [
        {"KERAS_BACKEND": "tensorflow", "TF_CONFIG": worker_config(index, ports)}
        for index in range(2)
    ]
    return results_of(tmp_path_factory, "workers", *environments)


def free_ports(count):
    """Returns numbers of ports that no process listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for listener in sockets:
        listener.bind(("localhost", 0))
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def worker_config(index, ports):
    """Returns the `TF_CONFIG` of a worker."""
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
