"""Runs of recipes in processes of their own, which the tables are made of."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = ("keras_ssl", "recipes")  # what a figure depends on; RESULTS.md itself changes here


class RecipeError(Exception):
    """A recipe ended with an error; the message is its last line."""


def run(recipe, folder, wanted, flags=(), noted=()):
    """Runs a recipe, unless its run is complete; one that was stopped goes on.

    `process.json` in the run's folder then says what it took, `log.txt` what it printed.

    Args:
        recipe: Path of the script.
        folder: Folder of the run.
        wanted: Dict of options that make the run what it is; None for one that is not given.
        flags: Further words of the command.
        noted: Dict of what is noted beside.

    Raises:
        RecipeError: If the recipe fails.
    """
    if is_complete(folder, wanted):
        return
    command = [sys.executable, str(recipe), "--output", str(folder), *flags]
    for option, value in {k: v for k, v in wanted.items() if v is not None}.items():
        values = value if isinstance(value, tuple) else (value,)
        command += [f"--{option.replace('_', '-')}", *map(str, values)]
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{folder.name}: {shlex.join(['python', *command[1:]])}", flush=True)
    took = {**dict(noted), "commit": commit()}
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
    config = read(folder / "config.json")
    wanted = json.loads(json.dumps(wanted, default=str))
    is_same = all(str(config.get(name)) == str(value) for name, value in wanted.items())
    return is_same and not read(folder / "process.json").get("error")


def read(file):
    """Returns what a JSON file holds; an empty dict where it is missing."""
    return json.loads(file.read_text()) if file.exists() else {}


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
