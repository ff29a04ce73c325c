"""Kills recipes repeatedly, and compares their results with those of an uninterrupted run.

python benchmarks/kills.py
python benchmarks/kills.py --recipes simclr --kills 5

Each recipe runs once without interruption. Then the same command is started, killed by SIGKILL at
a random moment and started again, until it has been killed `--kills` times; the last start runs to
the end. Weights, optimizer, all other state and the logs must equal those of the uninterrupted
run, bit for bit.
"""

import csv
import io
import random
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import tyro

ROOT = Path(__file__).parents[1]
OPTIONS = {  # enough epochs that a run does not end before it is killed
    "simclr": ("--epochs", "60"),
    "byol": ("--epochs", "60"),
    "swav": ("--epochs", "60"),
    "fixmatch": ("--epochs", "20"),
    "dash": ("--epochs", "20"),
}
# Quantities that are measured in some epochs only: a resumed run may measure other ones.
PROBE_COLUMNS = ("knn_accuracy", "feature_std", "effective_rank", "projection_std")
EARLY_KILLS = 0.25  # fraction of kills during the start of the process
STARTUP_SECONDS = 10
MAX_LISTED = 5  # differing arrays that are listed by name


def main(
    recipes: tuple[str, ...] = tuple(OPTIONS),
    kills: int = 20,
    longest: float = 3.0,
    save_steps: int = 3,
    seed: int = 0,
    output: Path = Path("runs/kills"),
) -> None:
    """Runs and kills recipes, compares the results and prints a table.

    Args:
        recipes: Recipes to run.
        kills: Number of kills of each recipe.
        longest: The largest number of seconds from a new checkpoint to a kill.
        save_steps: Steps between checkpoints.
        seed: Seed of the moments of the kills.
        output: Folder for the runs. It is removed first.
    """
    random.seed(seed)
    shutil.rmtree(output, ignore_errors=True)
    print("| recipe | kills | before a step | steps | weights and state | logs |")
    print("| --- | --- | --- | --- | --- | --- |")
    is_equal = True
    for name in recipes:
        uninterrupted, interrupted = output / name / "whole", output / name / "parts"
        command = [sys.executable, str(ROOT / "recipes" / f"{name}.py"), *OPTIONS[name]]
        command += ["--save-steps", str(save_steps), "--probe-every", "20"]
        start(command, uninterrupted).wait()
        num_early = 0
        for done in range(kills):
            process, is_early = start(command, interrupted), random.random() < EARLY_KILLS
            wait_to_kill(process, interrupted, is_early, longest)
            if process.poll() is not None:
                raise SystemExit(f"{name} ended after {done} kills. Give it more epochs.")
            num_early += is_early
            process.kill()
            process.wait()
        if start(command, interrupted).wait():
            raise SystemExit(f"{name} failed: see {interrupted}.log.")
        folders = (uninterrupted, interrupted)
        arrays = [read_arrays(folder / "model.keras") for folder in folders]
        differing = find_differences(*arrays)
        logs = [read_logs(folder / "history.csv") for folder in folders]
        verdict = f"{len(differing)} differ" if differing else f"all {len(arrays[0])} equal"
        log_verdict = "equal" if logs[0] == logs[1] else "differ"
        steps = int(arrays[0]["vars/0"])
        print(
            f"| {name} | {kills} | {num_early} | {steps} | {verdict} | {log_verdict} |", flush=True
        )
        for array_name in differing[:MAX_LISTED]:
            print(f"    differs: {array_name}")
        is_equal &= not differing and logs[0] == logs[1]
    sys.exit(not is_equal)


def start(command, folder):
    """Starts a recipe. Its output goes to `<folder>.log`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.log", "ab") as log:
        return subprocess.Popen([*command, "--output", str(folder)], stdout=log, stderr=log)


def wait_to_kill(process, folder, is_early, longest):
    """Waits for a random moment: during the start, or after a new checkpoint."""
    if is_early:
        time.sleep(random.uniform(0, STARTUP_SECONDS))
        return
    before = list_checkpoints(folder)
    while process.poll() is None and list_checkpoints(folder) in (before, set()):
        time.sleep(0.02)
    time.sleep(random.uniform(0, longest))


def list_checkpoints(folder):
    """Returns the names of the checkpoints of a run."""
    return {path.name for path in (folder / "checkpoints").glob("[0-9]*.keras")}


def read_arrays(path):
    """Returns all arrays of a `.keras` file, by their path in the file."""
    arrays = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with zipfile.ZipFile(path) as file, h5py.File(io.BytesIO(file.read("model.weights.h5"))) as h5:
        h5.visititems(add)
    return arrays


def find_differences(arrays, others):
    """Returns the names of arrays that are not equal bit for bit."""
    if arrays.keys() != others.keys():
        return sorted(arrays.keys() ^ others.keys())
    return [name for name in arrays if not np.array_equal(arrays[name], others[name])]


def read_logs(path):
    """Returns the logs of a run without the quantities that are not measured in each epoch."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{name: row[name] for name in row if name not in PROBE_COLUMNS} for row in rows]


if __name__ == "__main__":
    tyro.cli(main)
