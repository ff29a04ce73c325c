"""How many pairs of SimCLR's views are drawn in a second, from uint8 images in memory.

python benchmarks/views.py
python benchmarks/views.py --sizes 32 --runs 9 --output views.json

The pipeline is the one that `fit` uses: `data.views` with `views.simclr(size)`, shuffled. Each run
is one whole pass, its start included, after one to warm up. What else the machine does lowers the
rate, so its load is written beside it, and the processor time of a pair, which moves less: on idle
cores the rate comes near cores / time.
"""

import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tyro

from keras_ssl import data, views

# Batch size and images of a pass, by pixels a side; others go by the nearest.
SETTINGS = {32: (256, 50_000), 224: (64, 64 * 24)}


def main(sizes: tuple[int, ...] = (32, 224), runs: int = 7, output: Path | None = None) -> None:
    """Measures, prints a table and, where asked, writes it down.

    Args:
        sizes: Pixels a side, of the images and of the views.
        runs: Passes to take the median of.
        output: JSON file to write.
    """
    results = [measure(size, runs) for size in sizes]
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor_name(),
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print("".join(f"{name:>18}" for name in results[0]))
    for row in results:
        print("".join(f"{value:>18,.0f}" for value in row.values()))
    if output is not None:
        output.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")


def measure(size, runs):
    """Returns the settings and figures of one size."""
    batch_size, images = SETTINGS[min(SETTINGS, key=lambda known: abs(known - size))]
    pixels = np.random.default_rng(0).integers(0, 256, (images, size, size, 3), "uint8")
    dataset = data.views(tf.data.Dataset.from_tensor_slices(pixels), views.simclr(size), batch_size)
    one_pass(dataset)
    load = os.getloadavg()[0]
    passes = [one_pass(dataset) for _ in range(runs)]
    rates = [pairs / seconds for pairs, seconds, _ in passes]
    return {
        "size": size,
        "batch_size": batch_size,
        "runs": runs,
        "pairs_per_second": statistics.median(rates),
        "lowest": min(rates),
        "highest": max(rates),
        "us_per_pair": statistics.median(1e6 * processor / pairs for pairs, _, processor in passes),
        "load": load,
    }


def one_pass(dataset):
    """Returns the pairs of one pass, its seconds, and its seconds of processor time."""
    start, processor_start, pairs = time.perf_counter(), time.process_time(), 0
    for (first, _), *_ in dataset:
        pairs += len(first)
    return pairs, time.perf_counter() - start, time.process_time() - processor_start


def processor_name():
    """Returns the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    tyro.cli(main)
