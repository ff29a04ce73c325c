"""Images per second and memory of keras_ssl and of PyTorch with lightly, one after the other.

A stage of `card.py`: prints a row of JSON for each measurement. Each runs in its own process, which
has the GPU to itself and whose peak memory is its own. The most important come first, as the stage
may be stopped.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import tyro
from peer import peer
from recipe_runs import last_error

FOLDER = Path(__file__).parent
OURS, THEIRS = "keras_ssl", "PyTorch, lightly"
# Library, method, and for keras_ssl whether views are "ready" or made on the "device".
CASES = (
    (OURS, "SimCLR", "device together"),
    (OURS, "SimCLR", "ready"),
    (THEIRS, "SimCLR", "compiled"),
    (THEIRS, "SimCLR", "eager"),
    (OURS, "SimCLR", "device"),
    (OURS, "VICReg", "ready"),
    (THEIRS, "VICReg", "compiled"),
    (OURS, "BYOL", "ready"),
    (THEIRS, "BYOL", "compiled"),
    (OURS, "VICReg", "device"),
    (OURS, "BYOL", "device"),
    (THEIRS, "VICReg", "eager"),
    (THEIRS, "BYOL", "eager"),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the stage.

    Args:
        size: "small" for a rehearsal on a CPU, with the first cases only.
        batch_size: Images of a step. None for 512, or 16 if small.
        steps: Steps of a run. None for 100, or 2 if small.
        runs: Number of runs, of which the row is the median. None for 3, or 1 if small.
    """

    size: Literal["full", "small"] = "full"
    batch_size: int | None = None
    steps: int | None = None
    runs: int | None = None

    @property
    def batch(self) -> int:
        """Images of a step."""
        return self.batch_size or (512 if self.size == "full" else 16)

    @property
    def steps_of_run(self) -> int:
        """Steps of a run."""
        return self.steps or (100 if self.size == "full" else 2)

    @property
    def number_of_runs(self) -> int:
        """Number of runs."""
        return self.runs or (3 if self.size == "full" else 1)


def main(options: Options) -> None:
    """Measures all cases; one that fails has a row with its error."""
    failed = []
    for library, method, kind in CASES if options.size == "full" else CASES[:5]:
        row = {"library": library, "method": method, "kind": kind}
        try:
            run = measure_ours if library == OURS else measure_theirs
            row |= run(method, kind, options)
        except (RuntimeError, SystemExit) as error:
            row["error"] = str(error)
            failed.append(f"{library} {method} {kind}")
        print(json.dumps(row), flush=True)
    if failed:
        raise SystemExit(f"RuntimeError: {', '.join(failed)}")


def measure_ours(method: str, kind: str, options: Options) -> dict[str, Any]:
    """Returns images per second and peak memory of `throughput.py`.

    Raises:
        RuntimeError: If it fails.
    """
    views, _, together = kind.partition(" ")
    with tempfile.TemporaryDirectory() as folder:
        output, log = Path(folder) / "rows.json", Path(folder) / "log.txt"
        command = [sys.executable, str(FOLDER / "throughput.py"), "--methods", method]
        command += ["--views", views, *(["--together"] if together else [])]
        command += ["--precisions", "mixed_bfloat16", "--batch-size", str(options.batch)]
        command += ["--steps", str(options.steps_of_run), "--runs", str(options.number_of_runs)]
        with open(log, "w") as file:
            process = subprocess.run(
                [*command, "--output", str(output)], stdout=file, stderr=subprocess.STDOUT
            )
        sys.stderr.write(log.read_text())
        if process.returncode:
            raise RuntimeError(last_error(process.returncode, log))
        (row,) = json.loads(output.read_text())
    return {"images_per_second": row["rate"], "peak_mib": row["peak_mib"], "seconds": row["all"]}


def measure_theirs(method: str, kind: str, options: Options) -> dict[str, Any]:
    """Returns images per second and peak memory of `lightly_steps.py`.

    Raises:
        SystemExit: If it fails.
    """
    task = {"method": method, "encoder_name": "resnet18", "size": 32, "batch": options.batch}
    task |= {"steps": options.steps_of_run, "half": True, "compiled": kind == "compiled"}
    with peer(sys.executable, "lightly_steps.py") as ask:
        answers = [ask(**task) for _ in range(options.number_of_runs)]
    seconds = sorted(answer["seconds"] for answer in answers)
    median = seconds[len(seconds) // 2]
    peak = answers[-1]["peak_mib"]
    return {"images_per_second": options.batch / median, "peak_mib": peak, "seconds": seconds}


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
