"""Throughput of views, in images per second, compared with lightly.

python benchmarks/views.py
python benchmarks/views.py --cases simclr_224 --runs 9 --output views.json
python benchmarks/views.py --lightly path/to/other/environment/bin/python

The pipeline is that of `fit`: `data.make_views`, shuffled. Each run is a full pass of some seconds,
including its start, after one warm-up pass. lightly's transforms run in a `DataLoader` of torch
with one worker per core. Pass the Python interpreter of an environment that has them
(`pip install lightly torch torchvision`); the runs alternate. Other processes lower the rates.
The results therefore include the load of the machine and the CPU time per image, which varies less.
"""

import dataclasses
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import methods_table
import numpy as np
import tensorflow as tf
import tyro
from peer import peer

from keras_ssl import data, views

DISTINCT = 1_536  # images, which come several times in a pass


@dataclasses.dataclass(frozen=True)
class Case:
    """A benchmark case.

    Args:
        size: Int, side of the images and of the views in pixels.
        images: Int, images in a pass of keras_ssl.
        views: Function that returns the views.
        lightly: String, name of lightly's views in `lightly_views.py`, or None.
        lightly_images: Int, images in a pass of lightly.
        jpeg: Bool, whether the pipeline decodes the images from JPEG.
    """

    size: int
    images: int
    views: Callable
    lightly: str | None
    lightly_images: int = 1_024
    jpeg: bool = False

    @property
    def batch_size(self):
        """Images per batch."""
        return 256 if self.size < 64 else 64


def simclr_without_blur(size):
    """The views of SimCLR without blur, as in the paper's runs on small images."""
    view = views.simclr(size)[0]
    return (
        views.Compose([step for step in view.views if not isinstance(step, views.GaussianBlur)]),
    ) * 2


def fixmatch(size):
    """The weak and the strong view of FixMatch."""
    return views.fixmatch_weak(size), views.fixmatch_strong(size)


CASES = {
    "simclr_32": Case(32, 100_352, lambda: views.simclr(32), "simclr_sharp", 8_192),
    "simclr_32_fast": Case(
        32, 100_352, lambda: views.fast_colors(views.simclr(32)), "simclr_sharp", 8_192
    ),
    "simclr_224": Case(224, 4_608, lambda: views.simclr(224), "simclr"),
    "simclr_224_sharp": Case(224, 4_608, lambda: simclr_without_blur(224), "simclr_sharp"),
    "simclr_224_fast": Case(224, 4_608, lambda: views.fast_colors(views.simclr(224)), "simclr"),
    "simclr_224_jpeg": Case(224, 4_608, lambda: views.simclr(224), "simclr", jpeg=True),
    "byol_224": Case(224, 4_608, lambda: views.byol(224), "byol"),
    "dino_224": Case(224, 2_304, lambda: views.dino(224, small_crops=6), "dino", 512),
    "fixmatch_32": Case(32, 51_200, lambda: fixmatch(32), None),
}


def main(
    cases: tuple[Literal[tuple(CASES)], ...] = tuple(CASES),
    runs: int = 5,
    lightly: Path | None = None,
    output: Path | None = None,
) -> None:
    """Measures the cases and prints a table.

    Args:
        cases: Names of the cases: views and their size in pixels.
        runs: Number of runs; the table shows the median.
        lightly: Python interpreter of an environment with lightly. None to measure keras_ssl only.
        output: JSON file for the results. None for no file.
    """
    data.tune_allocator()
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print("| views | images/s | lowest to highest | CPU time, µs | lightly, images/s | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    results = {}
    with peer(lightly, "lightly_views.py") as ask:
        for name in cases:
            results[name] = row = measure(CASES[name], runs, ask)
            lightly_rate, ratio = row.get("lightly"), row.get("ratio")
            print(
                f"| {name} | {row['rate']:,.0f} | {row['lowest']:,.0f} to {row['highest']:,.0f} | "
                f"{row['us']:,.0f} | {f'{lightly_rate:,.0f}' if lightly_rate else '-'} | "
                f"{f'{ratio:.1f}' if ratio else '-'} |",
                flush=True,
            )
    if output is not None:
        output.write_text(json.dumps(results, indent=2) + "\n")


def measure(case, runs, ask):
    """Returns the results of one case. `ask` is from `peer`, or None."""
    distinct = min(case.images, DISTINCT)
    shape = (distinct, case.size, case.size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    images = make_dataset(pixels, case.jpeg).repeat(-(-case.images // distinct)).take(case.images)
    dataset = data.make_views(images, case.views(), case.batch_size)
    task = {"views": case.lightly, "size": case.size, "jpeg": case.jpeg}
    task["images"] = case.lightly_images
    rates, cpu_times, lightly_rates = [], [], []
    for run in range(runs + 1):
        count, seconds, cpu_seconds = run_epoch(dataset)
        lightly_rate = ask(**task) if ask and case.lightly else None
        if run:  # the first is for warm-up
            rates.append(count / seconds)
            cpu_times.append(1e6 * cpu_seconds / count)
            lightly_rates += [lightly_rate] if lightly_rate else []
    row = {"rate": statistics.median(rates), "lowest": min(rates), "highest": max(rates)}
    row |= {"us": statistics.median(cpu_times), "load": os.getloadavg()[0]}
    if lightly_rates:
        row |= {"lightly": statistics.median(lightly_rates), "lightly_all": lightly_rates}
        row["ratio"] = row["rate"] / row["lightly"]
    return row


def make_dataset(pixels, is_jpeg):
    """Returns a dataset of single images that are stored as pixels or as JPEG."""
    if not is_jpeg:
        return tf.data.Dataset.from_tensor_slices(pixels)
    files = [tf.io.encode_jpeg(image).numpy() for image in pixels]
    size = pixels.shape[1:]
    dataset = tf.data.Dataset.from_tensor_slices(files)
    return dataset.map(
        lambda file: tf.ensure_shape(tf.io.decode_jpeg(file, 3), size),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def run_epoch(dataset):
    """Returns the number of images in one pass, its seconds, and its seconds of CPU time."""
    start, cpu_start, count = time.perf_counter(), time.process_time(), 0
    for batch, *_ in dataset:
        count += len(batch[0])
    return count, time.perf_counter() - start, time.process_time() - cpu_start


if __name__ == "__main__":
    tyro.cli(main)
