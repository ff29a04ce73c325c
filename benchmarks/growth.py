"""Growth of time and memory with batch size, image size, kNN gallery and MoCo queue.

python benchmarks/growth.py --pictures growth
python benchmarks/growth.py --cases step --values 64 256 1024

Each point is measured in its own process, so that memory peaks do not add up. A plot for each case
shows the measured seconds next to proportional growth: the seconds if time grew exactly as the
amount of work, starting from the first point.
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

# Name: what grows, its values, and the power of the value that the amount of work grows with.
CASES = {
    "step": ("batch size, SimCLR, small_resnet", (64, 128, 256, 512, 1024, 2048, 4096), 1),
    "views": ("image size in pixels, views of SimCLR", (32, 48, 64, 96, 128, 160, 224), 2),
    "knn": ("gallery size, 2,000 queries, 512 wide", (12_500, 25_000, 50_000, 100_000, 200_000), 1),
    "queue": ("queue size of MoCo, batch size 256", (1_024, 4_096, 16_384, 65_536, 262_144), 0),
}


def main(
    cases: tuple[Literal[tuple(CASES)], ...] = tuple(CASES),
    values: tuple[int, ...] = (),
    runs: int = 3,
    pictures: Path | None = None,
    output: Path | None = None,
    one: str = "",
) -> None:
    """Measures, prints a table for each case, and optionally plots it and writes it to a file.

    Args:
        cases: Cases to measure.
        values: Values to use for all given cases, instead of the default ones.
        runs: Number of runs at each point; the table has their median.
        pictures: Folder for a plot of each case.
        output: JSON file to write.
        one: Internal, for the processes that this script starts: a case and its value.
    """
    if one:
        case, value = one.split()
        print(json.dumps(measure(case, int(value), runs)))
        return
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    results = {}
    for case in cases:
        title, default_values, power = CASES[case]
        print(f"\n| {title} | seconds | lowest to highest | to proportional | MiB | MiB added |")
        print("| --- | --- | --- | --- | --- | --- |")
        results[case] = []
        for value in values or default_values:
            row = {"value": value, **measure_in_process(case, value, runs)}
            results[case].append(row)
            first = results[case][0]
            proportional = first["seconds"] * (value / first["value"]) ** power
            print(
                f"| {value:,} | {row['seconds']:.3g} | {row['lowest']:.3g} to {row['highest']:.3g} "
                f"| {row['seconds'] / proportional:.2f} | {row['mib']:,.0f} | {row['more']:,.0f} |",
                flush=True,
            )
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            plot_growth(title, power, results[case], pictures / f"{case}.png")
    if output is not None:
        output.write_text(json.dumps(results, indent=2) + "\n")


def measure_in_process(case, value, runs):
    """Measures one point in a new process."""
    command = [sys.executable, __file__, "--one", f"{case} {value}", "--runs", str(runs)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{case} at {value} failed:\n{result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def measure(case, value, runs):
    """Returns the seconds, and the peak memory in MiB: of the process, and added by the work."""
    run = MAKERS[case](value)
    memory_before = peak_memory()
    run()
    seconds = [run() for _ in range(runs)]
    return {
        "seconds": statistics.median(seconds),
        "lowest": min(seconds),
        "highest": max(seconds),
        "mib": peak_memory(),
        "more": peak_memory() - memory_before,
    }


def peak_memory():
    """Returns the largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make_simclr_step(batch_size):
    """Returns a function that times a training step of SimCLR."""
    return make_training_step("SimCLR", batch_size)


def make_moco_step(queue_size):
    """Returns a function that times a training step of MoCo."""
    return make_training_step("MoCo", 256, queue_size=queue_size)


def make_training_step(method, batch_size, **options):
    """Returns a function that times a training step of a method."""
    import keras
    from steps import turn

    import keras_ssl

    rng = np.random.default_rng(0)
    views = tuple(rng.random((batch_size, 32, 32, 3), "float32") for _ in range(2))
    encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
    model = getattr(keras_ssl, method)(encoder, **options)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    return lambda: turn(model, [(views,)], 1)


def make_views_pass(size):
    """Returns a function that times the views of a thousand images."""
    from views import CASES as VIEWS
    from views import make_dataset, run_epoch

    import keras_ssl

    count = max(256, min(8192, 2**24 // size**2))
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), "uint8")
    views = VIEWS["simclr_32"].views() if size == 32 else keras_ssl.views.simclr(size)
    keras_ssl.data.tune_allocator()
    dataset = keras_ssl.data.make_views(make_dataset(pixels, False), views, 64)

    def run():
        images, seconds, _ = run_epoch(dataset)
        return 1000 * seconds / images

    return run


def make_knn(gallery_size):
    """Returns a function that times the kNN accuracy of 2,000 queries."""
    from keras_ssl.evaluation import knn_from_features

    rng = np.random.default_rng(0)
    arrays = []
    for count in (gallery_size, 2000):
        arrays += [rng.random((count, 512), "float32") - 0.5, rng.integers(0, 10, count)]

    def run():
        start = time.perf_counter()
        knn_from_features(*arrays)
        return time.perf_counter() - start

    return run


MAKERS = {
    "step": make_simclr_step,
    "views": make_views_pass,
    "knn": make_knn,
    "queue": make_moco_step,
}


def plot_growth(title, power, rows, path):
    """Plots the seconds and the memory of a case."""
    from matplotlib.figure import Figure

    x = np.array([row["value"] for row in rows], "float64")
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    time_axis, memory_axis = figure.subplots(1, 2)
    proportional = rows[0]["seconds"] * (x / x[0]) ** power
    time_axis.plot(x, [row["seconds"] for row in rows], "o-", label="measured")
    time_axis.plot(x, proportional, "--", color="gray", label="proportional to the work")
    time_axis.fill_between(
        x, [row["lowest"] for row in rows], [row["highest"] for row in rows], alpha=0.2
    )
    memory_axis.plot(x, [row["mib"] for row in rows], "o-", label="whole process")
    memory_axis.plot(x, [row["more"] for row in rows], "o-", label="added by the work")
    for axis, name in ((time_axis, "seconds"), (memory_axis, "peak memory, MiB")):
        axis.set(xlabel=title, ylabel=name, xscale="log", xticks=x)
        axis.set_xticks(x, [f"{value:,.0f}" for value in x], rotation=30)
        axis.minorticks_off()
        axis.legend()
    time_axis.set_yscale("log")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    tyro.cli(main)
