"""How time and memory grow with the work: batch, image size, memory of kNN, queue.

python benchmarks/growth.py --pictures growth
python benchmarks/growth.py --cases step --values 64 256 1024

Each point is a process of its own, so that peaks of memory do not add up. A picture for each case
shows what was measured beside a straight line from the first point: what it would be, were it to
grow as the work does.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import methods_table
import numpy as np
import tyro

# Name: what grows, values of it, and which power of it the work grows with.
CASES = {
    "step": ("images in a batch, SimCLR, small_resnet", (64, 128, 256, 512, 1024, 2048, 4096), 1),
    "views": ("pixels a side, views of SimCLR", (32, 48, 64, 96, 128, 160, 224), 2),
    "knn": ("images known, 2,000 queries, 512 wide", (12_500, 25_000, 50_000, 100_000, 200_000), 1),
    "queue": ("queue of MoCo, batches of 256", (1_024, 4_096, 16_384, 65_536, 262_144), 0),
}


def main(
    cases: tuple[Literal[tuple(CASES)], ...] = tuple(CASES),
    values: tuple[int, ...] = (),
    runs: int = 3,
    pictures: Path | None = None,
    output: Path | None = None,
    one: str = "",
) -> None:
    """Measures, prints a table for each case and, where asked, draws it and writes it down.

    Args:
        cases: What grows.
        values: Other values than the usual ones, for each case that is given.
        runs: Times each is done, of which the median counts.
        pictures: Folder for a picture of each case.
        output: JSON file to write.
        one: For the processes this starts: the case and its value.
    """
    if one:
        case, value = one.split()
        print(json.dumps(measure(case, int(value), runs)))
        return
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    found = {}
    for case in cases:
        title, usual, power = CASES[case]
        print(f"\n| {title} | seconds | lowest to highest | over straight | MiB | MiB more |")
        print("| --- | --- | --- | --- | --- | --- |")
        found[case] = []
        for value in values or usual:
            row = {"value": value, **in_process(case, value, runs)}
            found[case].append(row)
            straight = found[case][0]["seconds"] * (value / found[case][0]["value"]) ** power
            print(
                f"| {value:,} | {row['seconds']:.3g} | {row['lowest']:.3g} to {row['highest']:.3g} "
                f"| {row['seconds'] / straight:.2f} | {row['mib']:,.0f} | {row['more']:,.0f} |",
                flush=True,
            )
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            draw(title, power, found[case], pictures / f"{case}.png")
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n")


def in_process(case, value, runs):
    """Measures one point in a new process."""
    command = [sys.executable, __file__, "--one", f"{case} {value}", "--runs", str(runs)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{case} at {value} failed:\n{ran.stderr[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def measure(case, value, runs):
    """Returns seconds, and the peak of memory in MiB: of the process, and what the work added."""
    turn = {"step": step, "views": views, "knn": knn, "queue": queue}[case](value)
    before = peak()
    turn()
    seconds = [turn() for _ in range(runs)]
    return {
        "seconds": statistics.median(seconds),
        "lowest": min(seconds),
        "highest": max(seconds),
        "mib": peak(),
        "more": peak() - before,
    }


def peak():
    """Largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def step(batch):
    """A training step of SimCLR."""
    return training_step("SimCLR", batch)


def queue(size):
    """A training step of MoCo."""
    return training_step("MoCo", 256, queue_size=size)


def training_step(method, batch, **options):
    """Returns a function that times a step."""
    import keras
    from steps import turn

    import keras_ssl

    draw = np.random.default_rng(0)
    views = tuple(draw.random((batch, 32, 32, 3), "float32") for _ in range(2))
    encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
    model = getattr(keras_ssl, method)(encoder, **options)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    return lambda: turn(model, [(views,)], 1)


def views(size):
    """Seconds of a thousand images' views."""
    from views import CASES as VIEWS
    from views import one_pass, source

    import keras_ssl

    count = max(256, min(8192, 2**24 // size**2))
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), "uint8")
    made = VIEWS["simclr_32"].views if size == 32 else lambda: keras_ssl.views.simclr(size)
    dataset = keras_ssl.data.make_views(source(pixels, False), made(), 64)

    def turn():
        images, seconds, _ = one_pass(dataset)
        return 1000 * seconds / images

    return turn


def knn(memory):
    """Accuracy of 2,000 queries."""
    from keras_ssl.evaluation import knn_from_features

    draw = np.random.default_rng(0)
    arrays = []
    for count in (memory, 2000):
        arrays += [draw.random((count, 512), "float32") - 0.5, draw.integers(0, 10, count)]

    def turn():
        began = time.perf_counter()
        knn_from_features(*arrays)
        return time.perf_counter() - began

    return turn


def draw(title, power, rows, file):
    """Draws seconds, and memory beside them, against what grows."""
    from matplotlib.figure import Figure

    x = np.array([row["value"] for row in rows], "float64")
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(x, [row["seconds"] for row in rows], "o-", label="measured")
    left.plot(x, rows[0]["seconds"] * (x / x[0]) ** power, "--", color="gray", label="straight")
    left.fill_between(
        x, [row["lowest"] for row in rows], [row["highest"] for row in rows], alpha=0.2
    )
    right.plot(x, [row["mib"] for row in rows], "o-", label="whole process")
    right.plot(x, [row["more"] for row in rows], "o-", label="added by the work")
    for axes, name in ((left, "seconds"), (right, "peak memory, MiB")):
        axes.set(xlabel=title, ylabel=name, xscale="log", xticks=x)
        axes.set_xticks(x, [f"{value:,.0f}" for value in x], rotation=30)
        axes.minorticks_off()
        axes.legend()
    left.set_yscale("log")
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    tyro.cli(main)
