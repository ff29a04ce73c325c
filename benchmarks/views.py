"""How many images get their views in a second: ours, and lightly's beside it.

python benchmarks/views.py
python benchmarks/views.py --cases simclr_224 --runs 9 --output views.json
python benchmarks/views.py --lightly path/to/other/environment/bin/python

The pipeline is the one that `fit` uses: `data.make_views`, shuffled. Each turn is one pass of some
seconds, its start included, after one to warm up. lightly's transforms run in a `DataLoader` of
torch with a worker for each core, in an environment of their own (`pip install lightly torch
torchvision`) whose interpreter is given; turns alternate. What else the machine does lowers the
rates, so its load is written beside them, and the processor time of an image, which moves less.
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
    """What is measured.

    Args:
        size: Pixels a side, of the images and of the views.
        images: Of a pass of ours.
        views: Function that makes them.
        peer: What lightly's are called in `lightly_views.py`, or None.
        peer_images: Of a pass of lightly's.
        jpeg: Bool, whether images come as JPEG and are decoded on the way.
    """

    size: int
    images: int
    views: Callable
    peer: str | None
    peer_images: int = 1_024
    jpeg: bool = False

    @property
    def batch_size(self):
        """Images in a batch."""
        return 256 if self.size < 64 else 64


def simclr_without_blur(size):
    """As in SimCLR's own runs on small images."""
    view = views.simclr(size)[0]
    return (views.Compose([x for x in view.views if not isinstance(x, views.GaussianBlur)]),) * 2


def weak_and_strong(size):
    """The two of FixMatch."""
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
    "fixmatch_32": Case(32, 51_200, lambda: weak_and_strong(32), None),
}


def main(
    cases: tuple[Literal[tuple(CASES)], ...] = tuple(CASES),
    runs: int = 5,
    lightly: Path | None = None,
    output: Path | None = None,
) -> None:
    """Measures, prints a table and, where asked, writes it down.

    Args:
        cases: Which views, of how many pixels.
        runs: Turns to take the median of.
        lightly: Python of an environment with lightly; None to measure ours alone.
        output: JSON file to write.
    """
    data.tune_allocator()
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print(
        "| views | images/s | lowest to highest | processor time, µs | lightly, images/s | ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    found = {}
    with peer(lightly, "lightly_views.py") as ask:
        for name in cases:
            found[name] = row = measure(CASES[name], runs, ask)
            theirs, ratio = row.get("lightly"), row.get("ratio")
            print(
                f"| {name} | {row['rate']:,.0f} | {row['lowest']:,.0f} to {row['highest']:,.0f} | "
                f"{row['us']:,.0f} | {f'{theirs:,.0f}' if theirs else '-'} | "
                f"{f'{ratio:.1f}' if ratio else '-'} |",
                flush=True,
            )
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n")


def measure(case, runs, ask):
    """Returns the figures of one case; `ask` is from `peer`."""
    distinct = min(case.images, DISTINCT)
    shape = (distinct, case.size, case.size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    images = source(pixels, case.jpeg).repeat(-(-case.images // distinct)).take(case.images)
    dataset = data.make_views(images, case.views(), case.batch_size)
    task = {"views": case.peer, "size": case.size, "images": case.peer_images, "jpeg": case.jpeg}
    ours, processor, theirs = [], [], []
    for turn in range(runs + 1):
        images, seconds, of_processor = one_pass(dataset)
        rate = ask(**task) if ask and case.peer else None
        if turn:
            ours.append(images / seconds)
            processor.append(1e6 * of_processor / images)
            theirs += [rate] if rate else []
    row = {"rate": statistics.median(ours), "lowest": min(ours), "highest": max(ours)}
    row |= {"us": statistics.median(processor), "load": os.getloadavg()[0]}
    if theirs:
        row |= {"lightly": statistics.median(theirs), "lightly_all": theirs}
        row["ratio"] = row["rate"] / row["lightly"]
    return row


def source(pixels, is_jpeg):
    """Images one by one, as pixels or decoded on the way."""
    if not is_jpeg:
        return tf.data.Dataset.from_tensor_slices(pixels)
    files = [tf.io.encode_jpeg(image).numpy() for image in pixels]
    size = pixels.shape[1:]
    dataset = tf.data.Dataset.from_tensor_slices(files)
    return dataset.map(
        lambda file: tf.ensure_shape(tf.io.decode_jpeg(file, 3), size),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def one_pass(dataset):
    """Returns the images of one pass, its seconds, and its seconds of processor time."""
    start, processor_start, images = time.perf_counter(), time.process_time(), 0
    for made, *_ in dataset:
        images += len(made[0])
    return images, time.perf_counter() - start, time.process_time() - processor_start


if __name__ == "__main__":
    tyro.cli(main)
