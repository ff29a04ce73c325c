"""All methods side by side: runs their recipes one after the other, and writes the table.

python benchmarks/methods.py                                          # digits, recipes as they are
python benchmarks/methods.py --dataset cifar10 --data-dir DIR --epochs 3
python benchmarks/methods.py --dataset cifar10 --data-dir DIR --minutes 4

The table goes to RESULTS.md, one for each data set and budget. The same command again goes on where
a stopped one ended, and tries again what failed; a run that is complete stays as it is.
"""

import dataclasses
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import methods_table
import tyro

ROOT = Path(__file__).parents[1]
CODE = ("keras_ssl", "recipes")  # what a figure depends on; RESULTS.md itself changes here
# Name: title, recipe, settings that make the method.
METHODS = {
    "simclr": ("SimCLR", "simclr", {}),
    "moco_v2": ("MoCo v2", "moco", {"version": 2}),
    "moco_v3": ("MoCo v3", "moco", {"version": 3}),
    "nnclr": ("NNCLR", "nnclr", {}),
    "byol": ("BYOL", "byol", {}),
    "simsiam": ("SimSiam", "simsiam", {}),
    "barlow_twins": ("Barlow Twins", "barlow_twins", {}),
    "vicreg": ("VICReg", "vicreg", {}),
    "swav": ("SwAV", "swav", {}),
    "dino": ("DINO", "dino", {}),
    "emp_ssl": ("EMP-SSL", "emp_ssl", {}),
    "supcon": ("SupCon, with all labels", "supcon", {}),
}
# Data set: settings that differ on it from the recipe's own.
SETTINGS = {
    "cifar10": {
        "simclr": {"temperature": 0.2},
        "moco_v2": {"queue_size": 4096},
        "nnclr": {"queue_size": 4096},
        "swav": {"prototypes": 512},
        "emp_ssl": {"patch_scale": (0.25, 0.25)},
    }
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What to compare, and how long to train.

    Args:
        dataset: As in the recipes.
        data_dir: As in the recipes.
        encoder: As in the recipes.
        seed: As in the recipes.
        epochs: The same number for every method. Without epochs and minutes each recipe's own.
        minutes: The same minutes of training for every method, to the nearest epoch. What an epoch
            takes is read from a run with `--epochs` in this output, or else one epoch is run first.
        methods: Which to compare.
        output: Folder for the runs; each data set, encoder and budget has a folder in it.
        results: File to write the table to.
    """

    dataset: str = "digits"
    data_dir: Path | None = None
    encoder: str = "small_resnet"
    seed: int = 0
    epochs: int | None = None
    minutes: float | None = None
    methods: tuple[Literal[tuple(METHODS)], ...] = tuple(METHODS)
    output: Path = Path("runs/methods")
    results: Path = ROOT / "RESULTS.md"

    def __post_init__(self):
        """Refuses what is no budget."""
        if self.epochs is not None and self.minutes is not None:
            raise SystemExit("--epochs and --minutes are two budgets: give one of them.")
        for name in ("epochs", "minutes"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise SystemExit(f"--{name} must be above 0, received {getattr(self, name)}.")

    @property
    def dataset_name(self):
        """The data set; of a folder of images its own name."""
        return Path(self.dataset).name

    @property
    def title(self):
        """What the table is called: data set and kind of budget."""
        kind = " equal epochs" if self.epochs else " equal minutes" if self.minutes else ""
        return self.dataset_name + kind

    @property
    def folder(self):
        """Folder of all runs of this data set, encoder and budget."""
        budget = f"{self.minutes:g}-minutes" if self.minutes else "own-epochs"
        budget = f"{self.epochs}-epochs" if self.epochs else budget
        return self.output / f"{self.dataset_name}-{self.encoder}" / budget


def main(options):
    """Runs what is not there yet, then prints the table and writes it."""
    errors = {}
    for name in options.methods:
        try:
            epochs = epochs_in_budget(name, options) if options.minutes else options.epochs
            run(name, options, epochs)
        except RecipeError as error:
            errors[name] = str(error)
            print(f"    failed: {error}", flush=True)
    titles = {name: METHODS[name][0] for name in options.methods}
    rows = methods_table.read_rows(options.folder, titles, errors)
    methods_table.write_csv(rows, options.folder / "results.csv")
    command = shlex.join(["python", "benchmarks/methods.py", *sys.argv[1:]])
    text = methods_table.section(options.title, rows, command)
    methods_table.put(text, options.title, options.results)
    print(f"\n{text}\n\nIn {options.results}, and as {options.folder / 'results.csv'}.")
    if errors:
        raise SystemExit(f"Failed: {', '.join(errors)}. See log.txt in their folders.")


class RecipeError(Exception):
    """A recipe ended with an error; the message is its last line."""


def run(name, options, epochs):
    """Runs a method's recipe in a process of its own, unless its run is complete.

    `process.json` in the run's folder then says what it took, `log.txt` what it printed. Raw pixels
    and the untrained encoder are measured once in each `options.folder`.

    Args:
        name: Key of `METHODS`.
        options: `Options`, whose `folder` holds the run.
        epochs: Int, or None for the recipe's own.

    Raises:
        RecipeError: If the recipe fails.
    """
    _, recipe, own = METHODS[name]
    folder = options.folder / name
    settings = {**own, **SETTINGS.get(options.dataset_name, {}).get(name, {})}
    shared = {"dataset": options.dataset, "seed": options.seed, "encoder": options.encoder}
    shared |= {"epochs": epochs} if epochs else {}
    wanted = shared | settings
    if is_complete(folder, wanted):
        return
    command = [sys.executable, str(ROOT / "recipes" / f"{recipe}.py"), "--output", str(folder)]
    if options.data_dir:
        command += ["--data-dir", str(options.data_dir)]
    for option, value in wanted.items():
        values = value if isinstance(value, tuple) else (value,)
        command += [f"--{option.replace('_', '-')}", *map(str, values)]
    if methods_table.read_baselines(options.folder):
        command.append("--no-baselines")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{name}: {shlex.join(['python', *command[1:]])}", flush=True)
    took = {"seed": options.seed, "encoder": options.encoder, "settings": settings}
    took |= {"commit": commit()}
    began = time.perf_counter()
    # What a process is measured to take at most includes this one: nothing large is imported here.
    with open(folder / "log.txt", "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took["minutes"] = (time.perf_counter() - began) / 60
    took["peak_mib"] = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    took["error"] = last_error(process.returncode, folder / "log.txt")
    (folder / "process.json").write_text(json.dumps(took, indent=2) + "\n")
    if took["error"]:
        raise RecipeError(took["error"])


def is_complete(folder, wanted):
    """Whether a folder holds a whole run with these settings."""
    if not all((folder / file).exists() for file in ("config.json", "results.json", "time.json")):
        return False
    config = json.loads((folder / "config.json").read_text())
    wanted = json.loads(json.dumps(wanted))
    is_same = all(str(config.get(name)) == str(value) for name, value in wanted.items())
    return is_same and not methods_table.read(folder / "process.json").get("error")


def epochs_in_budget(name, options):
    """Finds how many epochs of a method the minutes are nearest to; 1 at least."""
    begun = methods_table.read(options.folder / name / "config.json")
    if begun:  # a stopped run goes on as it began
        return begun["epochs"]
    runs = options.folder.parent.glob(f"[0-9]*-epochs/{name}/time.json")
    timed = max(
        (methods_table.read(file) for file in runs), default=None, key=lambda t: t["epochs"]
    )
    if timed is None:
        once = dataclasses.replace(options, epochs=1, minutes=None)
        run(name, once, 1)
        timed = methods_table.read(once.folder / name / "time.json")
    return max(1, round(options.minutes * 60 * timed["epochs"] / timed["seconds"]))


def last_error(code, log):
    """Returns None where a process succeeded, else the last line of its error."""
    if code == 0:
        return None
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = [line.strip("│╭╰─╮╯ ") for line in log.read_text(errors="replace").splitlines()]
    lines = [line for line in lines if line] or [f"exit status {code}"]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)]
    return (errors or lines)[-1]


def commit():
    """Returns the commit of the code, marked where files differ from it; None without git."""
    git = ["git", "-C", str(ROOT)]
    try:
        found, changed = (
            subprocess.run([*git, *command], capture_output=True, text=True, check=True).stdout
            for command in (["rev-parse", "--short", "HEAD"], ["status", "--short", *CODE])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.strip() + "-dirty" * bool(changed)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
