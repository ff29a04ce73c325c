"""Images per second in training: keras_ssl, and PyTorch with the heads and losses of lightly.

    python benchmarks/throughput.py --lightly path/to/other/environment/bin/python
    python benchmarks/throughput.py --precisions mixed_bfloat16 --lightly PYTHON --compiled
    KERAS_BACKEND=jax python benchmarks/throughput.py --encoder resnet50 --size 224 \
        --batch-size 256 --precisions mixed_bfloat16 --steps 50 --peak-tflops 989 \
        --methods SimCLR BYOL DINO --views ready device --lightly PYTHON

Both use the same network, heads of the same widths, SGD with momentum and two precomputed views of
a batch, on the GPU if there is one. Runs alternate, and each ratio compares two consecutive runs.
Steps are started without waiting for earlier ones, except on TensorFlow. `--peak-tflops` adds the
utilization, from the multiplications of the network. `--views host` and `--views device` measure
training on an array of images, whose views the data pipeline or the training step makes. The
pipeline prepares batches in advance: time at least 200 steps with it. The peak memory of a GPU is
that of the process so far: measure one method in a command.
"""

import json
import math
import os
import statistics
from pathlib import Path
from typing import Literal

import keras
import lazy_loader
import methods_table
import numpy as np
import steps as one_step
import tyro
from peer import peer

import keras_ssl
from keras_ssl import data, encoders
from keras_ssl._internals import iter_layers

jax = lazy_loader.load("jax")

# Name: class, arguments for the heads of lightly, and encoder passes for each image in units of a
# forward pass (a backward pass counts as two).
METHODS = {
    "SimCLR": (keras_ssl.SimCLR, {"projector": (512, 128)}, 6),
    "SimSiam": (keras_ssl.SimSiam, {}, 6),
    "BarlowTwins": (keras_ssl.BarlowTwins, {}, 6),
    "VICReg": (keras_ssl.VICReg, {}, 6),
    "BYOL": (keras_ssl.BYOL, {}, 8),
    "DINO": (keras_ssl.DINO, {}, 8),
}


def main(
    methods: tuple[Literal[tuple(METHODS)], ...] = ("SimCLR",),
    encoder: Literal["resnet18", "resnet50"] = "resnet18",
    size: int = 32,
    batch_size: int = 128,
    steps: int = 2,
    runs: int = 5,
    precisions: tuple[Literal["float32", "mixed_bfloat16"], ...] = ("float32", "mixed_bfloat16"),
    views: tuple[Literal["ready", "host", "device"], ...] = ("ready",),
    together: bool = False,
    compiled: bool = False,
    peak_tflops: float | None = None,
    lightly: Path | None = None,
    output: Path | None = None,
) -> None:
    """Measures, prints a table and writes it if `output` is given.

    Args:
        methods: Methods to measure.
        encoder: The network.
        size: Side of an image in pixels. Below 64, the network has the CIFAR stem.
        batch_size: Number of images in a step, each with two views.
        steps: Number of steps in a run.
        runs: Number of runs.
        precisions: Keras dtype policies. PyTorch uses autocast to bfloat16 for the second.
        views: "ready" for precomputed views, "host" for views of the data pipeline, "device" for
            views made in the training step.
        together: Whether the views run through the network as one batch. SimCLR only.
        compiled: Whether PyTorch uses `torch.compile`.
        peak_tflops: Peak performance of the device in 10^12 operations per second.
        lightly: Python interpreter of an environment with lightly. None to measure keras_ssl only.
            It is compared with precomputed views.
        output: JSON file to write.
    """
    # Two processes use the memory of a GPU in turn: neither may take all of it in advance.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if "host" in views:
        data.tune_allocator()
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print(f"{encoder}, {size} pixels, batches of {batch_size}")
    columns = ("method", "views", "precision", "images/s", "use, %", "peak MiB")
    columns += ("lightly, images/s", "lightly, peak MiB", "ratio")
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    rows = []
    with peer(lightly, "lightly_steps.py") as ask:
        for name in methods:
            for precision in precisions:
                for kind in views:
                    keras.config.set_dtype_policy(precision)
                    model = new_model(name, encoder, size, kind, together)
                    task = {"method": name, "encoder_name": encoder, "size": size, "steps": steps}
                    task |= {"batch": batch_size, "compiled": compiled}
                    task |= {"half": precision != "float32"}
                    row = {"method": name, "precision": precision, "views": kind}
                    row |= measure(model, task, runs, kind, ask if kind == "ready" else None)
                    if peak_tflops:
                        operations = METHODS[name][2] * flops(model.encoder, size) * row["rate"]
                        row["of_peak"] = operations / (1e12 * peak_tflops)
                    rows.append(row)
                    show(row)
                    keras.backend.clear_session()
    if output is not None:
        output.write_text(json.dumps(rows, indent=2) + "\n")


def new_model(name, encoder, size, views, together):
    """Returns a compiled model."""
    make, options, _ = METHODS[name]
    stem = {"stem": "cifar"} if size < 64 else {}
    options = options | ({"together": True} if together else {})
    model = make(getattr(encoders, encoder)((size, size, 3), **stem), **options)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, views_on=None if views == "ready" else views)
    return model


def measure(model, task, runs, views, ask):
    """Returns the medians of a method, and of its peer if there is one."""
    batch, steps, size = task["batch"], task["steps"], task["size"]
    rng = np.random.default_rng(0)
    shape = (batch, size, size, 3)
    if views == "ready":
        ready = (tuple(rng.random(shape, "float32") for _ in range(2)),)

        def time_step(steps):
            return one_step.turn(model, [ready], steps)
    else:
        images = rng.integers(0, 256, (batch * (steps + 1), *shape[1:]), "uint8")

        def time_step(steps):
            return one_step.timed_fit(model, images[: batch * (steps + 1)], steps, batch_size=batch)

    time_step(1)
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(time_step(steps))
        theirs += [ask(**task)] if ask else []
    row = {"rate": batch / statistics.median(ours), "all": ours, "peak_mib": peak_mib()}
    if theirs:
        seconds = [answer["seconds"] for answer in theirs]
        row |= {"lightly": batch / statistics.median(seconds), "lightly_all": seconds}
        row["lightly_peak_mib"] = theirs[-1]["peak_mib"]
        row["ratio"] = statistics.median(b / a for a, b in zip(ours, seconds, strict=True))
    return row


def peak_mib():
    """Returns the peak memory of a GPU in this process, or None if it is unknown."""
    if keras.backend.backend() != "jax":
        return None
    statistics_of_device = jax.local_devices()[0].memory_stats() or {}
    peak = statistics_of_device.get("peak_bytes_in_use")
    return None if peak is None else peak / 2**20


def flops(encoder, size):
    """Returns the operations of a forward pass in convolutions and dense layers, nearly all."""
    sized = keras.models.clone_model(encoder, input_tensors=keras.Input((size, size, 3)))
    total = 0
    for layer in iter_layers(sized):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            total += 2 * math.prod(kernel.shape) * math.prod(layer.output.shape[1:-1])
    return total


def show(row):
    """Prints a row of the table."""
    cells = [row["method"], row["views"], row["precision"], f"{row['rate']:,.0f}"]
    cells += [f"{100 * row['of_peak']:.0f}" if "of_peak" in row else "-"]
    cells += [f"{row[name]:,.0f}" if row.get(name) else "-" for name in ("peak_mib", "lightly")]
    cells += [f"{row['lightly_peak_mib']:,.0f}" if row.get("lightly_peak_mib") else "-"]
    cells += [f"{row['ratio']:.2f}" if "ratio" in row else "-"]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
