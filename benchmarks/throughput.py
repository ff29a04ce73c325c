"""Images per second in training: keras_ssl, and PyTorch with the heads and losses of lightly.

    python benchmarks/throughput.py --lightly path/to/other/environment/bin/python
    python benchmarks/throughput.py --precisions mixed_bfloat16 --lightly PYTHON --compiled
    KERAS_BACKEND=jax python benchmarks/throughput.py --encoder resnet50 --size 224 \
        --batch-size 256 --precisions mixed_bfloat16 --peak-tflops 989 \
        --methods SimCLR BYOL DINO --feed --lightly PYTHON

Both use the same network, heads of the same widths, SGD with momentum and two precomputed views of
a batch, on the GPU if there is one. Runs alternate, and each ratio compares two consecutive runs.
`--peak-tflops` adds the utilization, from the multiplications of the network. `--feed` also
measures with views that `data.make_views` computes from pixels in memory.
"""

import json
import math
import os
import statistics
from pathlib import Path
from typing import Literal

import keras
import methods_table
import numpy as np
import steps as one_step
import tyro
from peer import peer

import keras_ssl
from keras_ssl import data, encoders
from keras_ssl._internals import iter_layers

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
    compiled: bool = False,
    feed: bool = False,
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
        compiled: Whether PyTorch uses `torch.compile`.
        feed: Whether to also measure with views computed during training.
        peak_tflops: Peak performance of the device in 10^12 operations per second.
        lightly: Python interpreter of an environment with lightly. None to measure keras_ssl only.
        output: JSON file to write.
    """
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print(f"{encoder}, {size} pixels, batches of {batch_size}")
    print("| method | precision | images/s | fed, images/s | use, % | lightly, images/s | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    rows = []
    with peer(lightly, "lightly_steps.py") as ask:
        for name in methods:
            for precision in precisions:
                keras.config.set_dtype_policy(precision)
                model = new_model(name, encoder, size)
                task = {"method": name, "encoder_name": encoder, "size": size, "steps": steps}
                task |= {"batch": batch_size, "compiled": compiled}
                task |= {"half": precision != "float32"}
                row = measure(model, task, runs, ask, feed)
                row |= {"method": name, "precision": precision}
                if peak_tflops:
                    operations = METHODS[name][2] * flops(model.encoder, size) * row["rate"]
                    row["of_peak"] = operations / (1e12 * peak_tflops)
                rows.append(row)
                show(row)
                keras.backend.clear_session()
    if output is not None:
        output.write_text(json.dumps(rows, indent=2) + "\n")


def new_model(name, encoder, size):
    """Returns a compiled model."""
    make, options, _ = METHODS[name]
    stem = {"stem": "cifar"} if size < 64 else {}
    model = make(getattr(encoders, encoder)((size, size, 3), **stem), **options)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    return model


def measure(model, task, runs, ask, feed):
    """Returns the medians of a method, and of its peer if there is one."""
    batch, steps, size = task["batch"], task["steps"], task["size"]
    rng = np.random.default_rng(0)
    ready = (tuple(rng.random((batch, size, size, 3), "float32") for _ in range(2)),)
    one_step.turn(model, [ready], 1)
    ours, theirs, fed = [], [], []
    for _ in range(runs):
        ours.append(one_step.turn(model, [ready], steps))
        theirs += [ask(**task)["seconds"]] if ask else []
        fed += [time_fed_step(model, batch, steps, size)] if feed else []
    row = {"rate": batch / statistics.median(ours), "all": ours}
    if fed:
        row["fed"] = batch / statistics.median(fed)
    if theirs:
        row |= {"lightly": batch / statistics.median(theirs), "lightly_all": theirs}
        row["ratio"] = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    return row


def time_fed_step(model, batch, steps, size):
    """Returns the seconds per step with views computed during training."""
    import tensorflow as tf

    pixels = np.zeros((batch * 4, size, size, 3), "uint8")
    images = tf.data.Dataset.from_tensor_slices(pixels)
    data.tune_allocator()
    dataset = data.make_views(images, keras_ssl.views.simclr(size), batch).repeat().take(steps + 1)
    return one_step.timed_fit(model, dataset, steps)


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
    cells = [row["method"], row["precision"], f"{row['rate']:,.0f}"]
    cells += [f"{row['fed']:,.0f}" if "fed" in row else "-"]
    cells += [f"{100 * row['of_peak']:.0f}" if "of_peak" in row else "-"]
    cells += [f"{row['lightly']:,.0f}" if "lightly" in row else "-"]
    cells += [f"{row['ratio']:.2f}" if "ratio" in row else "-"]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
