"""Kills one of two workers in the middle of a run, starts both again, and compares.

python benchmarks/kill_worker.py

Both workers are processes of this machine. What the interrupted run ends with must be what one that
was left alone ends with, bit for bit.
"""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import kills
import tyro

ROOT = Path(__file__).parents[1]
PATIENCE = 120  # seconds until a worker that waits for the other one is ended


def main(
    recipe: str = "simclr",
    epochs: int = 20,
    times: int = 3,
    seed: int = 0,
    output: Path = Path("runs/kill_worker"),
) -> None:
    """Runs, kills, compares and prints.

    Args:
        recipe: Which.
        epochs: Of it.
        times: How often a worker is killed, one or the other.
        seed: Of the moments.
        output: Folder for the runs; removed first.
    """
    random.seed(seed)
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, str(ROOT / "recipes" / f"{recipe}.py"), "--epochs", str(epochs)]
    command += ["--strategy", "multiworker", "--save-steps", "3", "--no-baselines"]
    whole, parts = output / "whole", output / "parts"
    for worker in start(command, whole):
        worker.wait()
    ended = []
    for _ in range(times):
        workers, victim = start(command, parts), random.randrange(2)
        kills.wait(workers[0], parts, False, 5.0)
        workers[victim].kill()
        began = time.perf_counter()
        ended.append(ending(workers[1 - victim], began))
    for worker in start(command, parts):
        if worker.wait():
            raise SystemExit(f"A worker failed: see {parts}-0.log and {parts}-1.log.")
    arrays = [kills.states(folder / "model.keras") for folder in (whole, parts)]
    differing = kills.differences(*arrays)
    verdict = f"{len(differing)} differ" if differing else f"all {len(arrays[0])} equal"
    print(f"{recipe}, a worker of two killed {times} times; the other {'; '.join(ended)}.")
    print(f"Weights and state after {epochs} epochs, against a run left alone: {verdict}.")
    sys.exit(bool(differing))


def start(command, folder):
    """Starts two workers that know each other."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("localhost", 0))
        workers = [f"localhost:{each.getsockname()[1]}" for each in (one, other)]
    started = []
    for index in range(2):
        told = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(told)}
        with open(f"{folder}-{index}.log", "ab") as log:
            options = {"stdout": log, "stderr": log, "env": environment}
            started.append(subprocess.Popen([*command, "--output", str(folder)], **options))
    return started


def ending(worker, began):
    """Waits for the worker that is left, and tells in words how it ended."""
    try:
        status = worker.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
        return f"waited for {PATIENCE} s and was ended"
    return f"ended by itself, status {status}, after {time.perf_counter() - began:.0f} s"


if __name__ == "__main__":
    tyro.cli(main)
