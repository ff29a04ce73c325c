"""One device, replicas and backends: every method comes to the same numbers on all of them."""

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

IN_ALL = ("four replicas", "two devices of jax")
ELSEWHERE = ("four replicas", "two workers", "jax", "two devices of jax")
each_method = pytest.mark.parametrize("name", checks.METHODS)


@each_method
def test_replicas_and_jax_equal_one_device(name, float64, replicas, elsewhere, table):
    expected = checks.numbers_of(name)
    with replicas.scope():
        found = checks.numbers_of(name)
    checks.assert_equal(found, expected, where="two replicas")
    table.add(name, "two replicas", found, expected)
    for where in ELSEWHERE:
        prefix, there = f"{name}/float64/", elsewhere[where]
        found = {k.removeprefix(prefix): v for k, v in there.items() if k.startswith(prefix)}
        if found or where in IN_ALL:
            checks.assert_equal(found, expected, where=where)
            table.add(name, where, found, expected)


class Table:
    """The largest relative difference of each method in each place, as Markdown."""

    def __init__(self):
        self.cells = {}

    def add(self, name, where, found, expected):
        """Notes how far two results of `checks.numbers` are apart."""
        apart = [
            np.max(np.abs(found[key] - value)) / max(np.max(np.abs(value)), 1e-3)
            for key, value in expected.items()
            if value.size
        ]
        self.cells[name, where] = f"{max(apart):.0e}" if max(apart) else "0"

    def write(self, path):
        """Writes it, a row for each method."""
        columns = ("two replicas", *ELSEWHERE)
        lines = [f"| method | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
        for name in dict.fromkeys(name for name, _ in self.cells):
            cells = [self.cells.get((name, where), "-") for where in columns]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def table():
    found = Table()
    yield found
    if os.environ.get(checks.ALL_CELLS):
        found.write(Path(os.environ[checks.ALL_CELLS]))


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


@pytest.mark.parametrize(("name", "policy"), checks.HALVED)
def test_two_replicas_exchange_what_half_precision_computes(name, policy, elsewhere):
    found, expected = in_precision(name, policy, elsewhere)
    assert all(np.all(np.isfinite(values)) for values in found.values())
    if policy == "mixed_float16":  # steps that overflow are left out, and here not the same ones
        return
    # The first epoch's alone: batch norm of few rows lets rounding grow from step to step.
    assert found["log_loss"][0] == pytest.approx(expected["log_loss"][0], rel=0.05, abs=0.05)


def free(count):
    """Numbers of ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def worker(index, ports):
    """What a worker is told of itself and the others."""
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    told = {"cluster": cluster, "task": {"type": "worker", "index": index}}
    return {"TF_CONFIG": json.dumps(told)}


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
        "two workers": ("workers", {"KERAS_BACKEND": "tensorflow", **worker(0, ports := free(2))}),
    }
    other = ("workers-1", {"KERAS_BACKEND": "tensorflow", **worker(1, ports)})
    waiting = [run for run in runs.values() if run[0] != "workers"]
    waiting = [runs["two workers"], other, *waiting]  # the two wait for each other
    while waiting:  # two at a time, one for each core
        started = []
        for option, environment in waiting[:2]:
            command = [sys.executable, checks.__file__, str(folder / f"{option}.npz")]
            command.append(option.removesuffix("-1"))
            environment = {**os.environ, **environment}
            started.append(
                subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
            )
        errors = [process.communicate()[1] for process in started]
        for process, error in zip(started, errors, strict=True):
            assert process.returncode == 0, error[-3000:]
        waiting = waiting[2:]
    return {where: dict(np.load(folder / f"{runs[where][0]}.npz")) for where in runs}
