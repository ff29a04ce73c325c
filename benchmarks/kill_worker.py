"""Kills one of two workers during a run, resumes the run, and compares it with an unkilled run.

python benchmarks/kill_worker.py

Both workers are processes on this machine. The results of the interrupted run must equal those of
an uninterrupted run, bit for bit.
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
TIMEOUT_SECONDS = 120  # after this, a worker that waits for the killed one is killed too


def main(
    recipe: str = "simclr",
    epochs: int = 20,
    times: int = 3,
    seed: int = 0,
    output: Path = Path("runs/kill_worker"),
) -> None:
    """Runs a recipe, kills workers, compares the results and prints them.

    Args:
        recipe: Recipe to run.
        epochs: Number of epochs.
        times: Number of kills; each kills a random worker.
        seed: Seed of the moments of the kills.
        output: Folder for the runs. It is removed first.
    """
    random.seed(seed)
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, str(ROOT / "recipes" / f"{recipe}.py"), "--epochs", str(epochs)]
    command += ["--strategy", "multiworker", "--save-steps", "3", "--no-baselines"]
    uninterrupted, interrupted = output / "whole", output / "parts"
    for worker in start_workers(command, uninterrupted):
        worker.wait()
    endings = []
    for _ in range(times):
        workers, victim = start_workers(command, interrupted), random.randrange(2)
        kills.wait_to_kill(workers[0], interrupted, False, 5.0)
        workers[victim].kill()
        killed_at = time.perf_counter()
        endings.append(wait_for_end(workers[1 - victim], killed_at))
    for worker in start_workers(command, interrupted):
        if worker.wait():
            raise SystemExit(f"A worker failed: see {interrupted}-0.log and {interrupted}-1.log.")
    folders = (uninterrupted, interrupted)
    arrays = [kills.read_arrays(folder / "model.keras") for folder in folders]
    differing = kills.find_differences(*arrays)
    verdict = f"{len(differing)} differ" if differing else f"all {len(arrays[0])} equal"
    print(f"{recipe}, one of two workers killed {times} times. The other {'; '.join(endings)}.")
    print(f"Weights and state after {epochs} epochs, against an uninterrupted run: {verdict}.")
    sys.exit(bool(differing))


def start_workers(command, folder):
    """Starts two workers of one cluster. Their output goes to `<folder>-<index>.log`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket() as first, socket.socket() as second:
        for bound in (first, second):
            bound.bind(("localhost", 0))
        workers = [f"localhost:{bound.getsockname()[1]}" for bound in (first, second)]
    processes = []
    for index in range(2):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        with open(f"{folder}-{index}.log", "ab") as log:
            options = {"stdout": log, "stderr": log, "env": environment}
            processes.append(subprocess.Popen([*command, "--output", str(folder)], **options))
    return processes


def wait_for_end(worker, killed_at):
    """Waits for the remaining worker, and returns how it ended."""
    try:
        status = worker.wait(TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
        return f"still waited after {TIMEOUT_SECONDS} s and was killed"
    return f"ended with status {status} after {time.perf_counter() - killed_at:.0f} s"


if __name__ == "__main__":
    tyro.cli(main)
