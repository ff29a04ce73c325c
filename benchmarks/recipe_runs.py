"""Runs of recipes in subprocesses, for the tables."""

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
CODE = ("keras_ssl", "recipes")  # what the results depend on


class RecipeError(Exception):
    """A recipe failed. The message is the last line of its error."""


def run(recipe, folder, options, flags=(), notes=()):
    """Runs a recipe, unless its run is complete. An interrupted run is resumed.

    The run's directory then has `process.json` with time and memory, and `log.txt` with the output.

    Args:
        recipe: Path of the script.
        folder: Directory of the run.
        options: Dict of the options that identify the run. Options that are None are not passed.
        flags: Further words of the command.
        notes: Dict that is added to `process.json`.

    Raises:
        RecipeError: If the recipe fails.
    """
    if is_complete(folder, options):
        return
    command = [sys.executable, str(recipe), "--output", str(folder), *flags]
    for option, value in options.items():
        if value is None:
            continue
        values = value if isinstance(value, tuple) else (value,)
        command += [f"--{option.replace('_', '-')}", *map(str, values)]
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{folder.name}: {shlex.join(['python', *command[1:]])}", flush=True)
    result = {**dict(notes), "commit": commit()}
    start_time = time.perf_counter()
    # The peak memory of a child includes that of this process at the fork: import nothing large.
    with open(folder / "log.txt", "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    result["minutes"] = (time.perf_counter() - start_time) / 60
    result["peak_mib"] = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    result["error"] = last_error(process.returncode, folder / "log.txt")
    (folder / "process.json").write_text(json.dumps(result, indent=2) + "\n")
    if result["error"]:
        raise RecipeError(result["error"])


def is_complete(folder, options):
    """Returns whether a directory has a complete run with these options."""
    if not all((folder / file).exists() for file in ("config.json", "results.json", "time.json")):
        return False
    config = read(folder / "config.json")
    options = json.loads(json.dumps(options, default=str))
    is_same = all(str(config.get(name)) == str(value) for name, value in options.items())
    return is_same and not read(folder / "process.json").get("error")


def read(file):
    """Returns the content of a JSON file, an empty dict if it is missing."""
    return json.loads(file.read_text()) if file.exists() else {}


def last_error(code, log):
    """Returns the last line of the error of a process, None if it succeeded."""
    if code == 0:
        return None
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = [line.strip("│╭╰─╮╯ ") for line in log.read_text(errors="replace").splitlines()]
    lines = [line for line in lines if line] or [f"exit status {code}"]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)]
    return (errors or lines)[-1]


def commit():
    """Returns the commit, with "-dirty" if the code differs from it; None without git."""
    git = ["git", "-C", str(ROOT)]
    try:
        head, changed = (
            subprocess.run([*git, *command], capture_output=True, text=True, check=True).stdout
            for command in (["rev-parse", "--short", "HEAD"], ["status", "--short", *CODE])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.strip() + "-dirty" * bool(changed)
