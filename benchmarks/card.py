"""Checks and measurements on a machine with a GPU, in one command that ends in time.

    python benchmarks/card.py --data prepared --output runs/card
    python benchmarks/card.py --stages smoke throughput --output runs/speed
    python benchmarks/card.py --stages race --method byol --data prepared --output runs/byol
    python benchmarks/card.py --size small --data prepared       # a rehearsal on a CPU

It needs JAX, PyTorch and what `card_prepare.py` collects, and neither TensorFlow nor a network.
Each stage is a separate process: one that fails or takes too long does not stop the others, and
none holds memory of the GPU while another runs. `card.json` is written after each result, `card.md`
after each stage.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Literal

import tyro
from methods_table import machine
from recipe_runs import commit, last_error

FOLDER = Path(__file__).parent
STAGES = ("smoke", "throughput", "race")
# Seconds that a stage may take while others follow. The last one takes what is left.
LIMITS = {"smoke": 100, "throughput": 180}
MARGIN = 5  # seconds before its limit when a stage that plans its own time should be done


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the run.

    Args:
        stages: What to run, in this order: "smoke" trains every method for two steps and compares
            the losses with those on the CPU; "throughput" measures images per second and memory
            next to PyTorch; "race" trains one method on CIFAR-10 for the remaining time.
        data: Folder that `card_prepare.py` wrote.
        output: Folder of the results.
        size: "small" for a rehearsal on a CPU.
        total_minutes: Minutes after which the command ends at the latest.
        minutes: Minutes of training in the race. None for what is left.
        method: Method of the race.
        batch_size: Images of a step, in throughput and race. None for 512, or 16 and 64 if small.
    """

    stages: tuple[Literal["smoke", "throughput", "race"], ...] = STAGES
    data: Path = Path("prepared")
    output: Path = Path("runs/card")
    size: Literal["full", "small"] = "full"
    total_minutes: float = 8
    minutes: float | None = None
    method: Literal["simclr", "byol", "vicreg", "emp_ssl"] = "simclr"
    batch_size: int | None = None


def main(options: Options) -> None:
    """Runs the stages, and exits with status 1 if one of them failed."""
    start = time.monotonic()
    options.output.mkdir(parents=True, exist_ok=True)
    os.environ["KERAS_BACKEND"] = "jax"
    # Stages that compile the same step share it.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(options.output.resolve() / "cache"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
    results = {"machine": machine(), "commit": commit(), "command": sys.argv[1:], "stages": {}}
    stages = [stage for stage in STAGES if stage in options.stages]
    for stage in stages:
        left = 60 * options.total_minutes - (time.monotonic() - start)
        has_limit = options.size == "full" and stage != stages[-1]
        limit = max(1.0, min(left, LIMITS[stage]) if has_limit else left)
        words = command(stage, options, time.time() + limit - MARGIN)
        run_stage(words, limit, results, stage, options.output)
        (options.output / "card.md").write_text(report(results))
    print(report(results))
    if failed := [name for name, stage in results["stages"].items() if stage["error"]]:
        raise SystemExit(f"Failed: {', '.join(failed)}. See their logs in {options.output}.")


def command(stage: str, options: Options, deadline: float) -> list[str]:
    """Returns the command of a stage that should end at a time in seconds since 1970."""
    words = [sys.executable, str(FOLDER / f"card_{stage}.py")]
    if stage == "smoke":
        return words
    words += ["--size", options.size]
    words += ["--batch-size", str(options.batch_size)] if options.batch_size else []
    if stage == "race":
        words += ["--data", str(options.data), "--output", str(options.output)]
        words += ["--method", options.method, "--deadline", str(deadline)]
        words += ["--minutes", str(options.minutes)] if options.minutes else []
    return words


def run_stage(
    words: list[str], limit: float, results: dict[str, Any], name: str, output: Path
) -> None:
    """Runs a stage, and writes all results after each row that it prints.

    Args:
        words: Command that prints rows as lines of JSON objects.
        limit: Seconds after which it is killed, with its children. Its rows remain.
        results: Results of all stages, which the row is added to.
        name: Name of the stage, also of the file with its other output.
        output: Folder of the results.
    """
    start = time.monotonic()
    stage = results["stages"][name] = {"seconds": None, "error": "unfinished", "rows": []}
    log_file = output / f"{name}.log"
    pipes = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    with (
        open(log_file, "w") as log,
        subprocess.Popen(words, stderr=log, **pipes) as process,
    ):
        timer = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        try:
            for line in process.stdout:
                row = parse(line)
                if row is None:
                    print(line, end="", file=log, flush=True)
                    continue
                stage["rows"].append(row)
                print(f"{name}: {line}", end="", flush=True)
                write(results, output)
            process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:  # this process was interrupted
                os.killpg(process.pid, signal.SIGKILL)
    seconds = time.monotonic() - start
    stage["seconds"], stage["error"] = round(seconds, 1), last_error(process.returncode, log_file)
    if process.returncode == -signal.SIGKILL and seconds >= limit:
        stage["error"] = f"stopped after {limit:.0f} s, its limit"
    write(results, output)


def parse(line: str) -> dict[str, Any] | None:
    """Returns a row, or None for other output."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def write(results: dict[str, Any], output: Path) -> None:
    """Writes `card.json`; a run that is killed meanwhile leaves the previous file."""
    unfinished = output / "card.unfinished"
    unfinished.write_text(json.dumps(results, indent=1) + "\n")
    unfinished.replace(output / "card.json")


def report(results: dict[str, Any]) -> str:
    """Returns the results as Markdown, a table for each stage."""
    parts = [f"{results['machine']}; commit {results['commit']}"]
    for name, stage in results["stages"].items():
        state = "failed: " + stage["error"] if stage["error"] else "complete"
        parts.append(f"## {name}: {stage['seconds']} s, {state}")
        columns = list(dict.fromkeys(column for row in stage["rows"] for column in row))
        lines = [columns, ["---"] * len(columns)] if columns else []
        lines += [[cell(row.get(column)) for column in columns] for row in stage["rows"]]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(part for part in parts if part) + "\n"


def cell(value: Any) -> str:
    """Returns the text of a value in a table."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


if __name__ == "__main__":
    # An exit stops the stage too, which a signal to this process alone would not.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(tyro.cli(Options, description=__doc__))
