"""Kills recipes again and again, and compares what they end with to a run that was left alone.

python benchmarks/kills.py
python benchmarks/kills.py --recipes simclr --kills 5

Each recipe runs once whole. Then it is started, killed at a random moment by SIGKILL and started
again, with the same command, until it has been killed so often; the last start is left to end.
Weights, optimizer, all other state and the logs must be those of the whole run, bit for bit.
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
OPTIONS = {  # enough steps that a run does not end before it is killed
    "simclr": ("--epochs", "60"),
    "byol": ("--epochs", "60"),
    "swav": ("--epochs", "60"),
    "fixmatch": ("--epochs", "20"),
    "dash": ("--epochs", "20"),
}
MEASURED = ("knn_accuracy", "feature_std", "effective_rank", "projection_std")
BEFORE = 0.25  # of the kills come before a step is made


def main(
    recipes: tuple[str, ...] = tuple(OPTIONS),
    kills: int = 20,
    longest: float = 3.0,
    save_steps: int = 3,
    seed: int = 0,
    output: Path = Path("runs/kills"),
) -> None:
    """Runs, kills, compares and prints.

    Args:
        recipes: Which.
        kills: How often each is killed.
        longest: Seconds that a start goes on at most once it has saved something new.
        save_steps: Steps from one saved state to the next.
        seed: Of the moments.
        output: Folder for the runs; removed first.
    """
    random.seed(seed)
    shutil.rmtree(output, ignore_errors=True)
    print("| recipe | kills | before a step | steps | weights and state | logs |")
    print("| --- | --- | --- | --- | --- | --- |")
    is_right = True
    for name in recipes:
        whole, parts = output / name / "whole", output / name / "parts"
        command = [sys.executable, str(ROOT / "recipes" / f"{name}.py"), *OPTIONS[name]]
        command += ["--save-steps", str(save_steps), "--probe-every", "20"]
        start(command, whole).wait()
        early = 0
        for done in range(kills):
            process, is_early = start(command, parts), random.random() < BEFORE
            wait(process, parts, is_early, longest)
            if process.poll() is not None:
                raise SystemExit(f"{name} ended after {done} kills: give it more epochs.")
            early += is_early
            process.kill()
            process.wait()
        if start(command, parts).wait():
            raise SystemExit(f"{name} failed: see {parts}/log.txt")
        arrays = [states(folder / "model.keras") for folder in (whole, parts)]
        differing = differences(*arrays)
        logs = [history(folder / "history.csv") for folder in (whole, parts)]
        verdict = f"{len(differing)} differ" if differing else f"all {len(arrays[0])} equal"
        same = "equal" if logs[0] == logs[1] else "differ"
        steps = int(arrays[0]["vars/0"])
        print(f"| {name} | {kills} | {early} | {steps} | {verdict} | {same} |", flush=True)
        for each in differing[:5]:
            print(f"    differs: {each}")
        is_right &= not differing and same == "equal"
    sys.exit(not is_right)


def start(command, folder):
    """Starts a recipe; what it prints goes to `log.txt` in its folder's parent."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.log", "ab") as log:
        return subprocess.Popen([*command, "--output", str(folder)], stdout=log, stderr=log)


def wait(process, folder, is_early, longest):
    """Waits for the moment to kill: anywhere in the start, or after something new is saved."""
    if is_early:
        time.sleep(random.uniform(0, 10))
        return
    before = saved(folder)
    while process.poll() is None and saved(folder) in (before, set()):
        time.sleep(0.02)
    time.sleep(random.uniform(0, longest))


def saved(folder):
    """Names of the states there are."""
    return {path.name for path in (folder / "checkpoints").glob("[0-9]*.keras")}


def states(path):
    """All arrays of a `.keras` file, by their place in it."""
    found = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with zipfile.ZipFile(path) as file, h5py.File(io.BytesIO(file.read("model.weights.h5"))) as h5:
        h5.visititems(take)
    return found


def differences(one, other):
    """Names of arrays that are not equal bit for bit."""
    if one.keys() != other.keys():
        return sorted(one.keys() ^ other.keys())
    return [name for name in one if not np.array_equal(one[name], other[name])]


def history(path):
    """The logs of a run, without what is measured only now and then."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{name: row[name] for name in row if name not in MEASURED} for row in rows]


if __name__ == "__main__":
    tyro.cli(main)
