"""Images a second of whole training steps: ours, and PyTorch with lightly's heads and losses.

python benchmarks/throughput.py --lightly path/to/other/environment/bin/python
python benchmarks/throughput.py --precisions mixed_bfloat16 --lightly PYTHON --compiled
KERAS_BACKEND=jax python benchmarks/throughput.py --encoder resnet50 --size 224 --batch-size 256 \
    --precisions mixed_bfloat16 --peak-tflops 989 --methods SimCLR BYOL DINO --feed --lightly PYTHON

Both have the same network, heads of the same widths, SGD with momentum and two views of a batch,
drawn before; they take turns, and each ratio is of two neighbors. What processor or card there is
is used. `--peak-tflops` gives the share of it that the network's own multiplications come to;
`--feed` also measures with views made on the way, by `data.make_views` from pixels in memory.
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

# Name: class, arguments that give lightly's heads, and encoder passes an image by forward passes
# (a backward pass counts as two).
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
    """Measures, prints a table and, where asked, writes it down.

    Args:
        methods: Which.
        encoder: The network.
        size: Pixels a side; below 64 with the stem of CIFAR.
        batch_size: Images in a step, of which each has two views.
        steps: Of each turn.
        runs: Turns.
        precisions: Keras's dtype policies; of torch, autocast to bfloat16 for the second.
        compiled: Whether PyTorch's model goes through `torch.compile`.
        feed: Whether to measure with views made on the way too.
        peak_tflops: What the device can do, in 10^12 operations a second.
        lightly: Python of an environment with lightly; None to measure ours alone.
        output: JSON file to write.
    """
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print(f"{encoder}, {size} pixels, batches of {batch_size}")
    print(
        "| method | precision | images/s | fed, images/s | of peak, % | lightly, images/s | ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    found = []
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
                found.append(row)
                show(row)
                keras.backend.clear_session()
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n")


def new_model(name, encoder, size):
    """Makes and compiles a method."""
    make, options, _ = METHODS[name]
    stem = {"stem": "cifar"} if size < 64 else {}
    model = make(getattr(encoders, encoder)((size, size, 3), **stem), **options)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    return model


def measure(model, task, runs, ask, feed):
    """Returns the medians of a method, and of its peer where there is one."""
    batch, steps, size = task["batch"], task["steps"], task["size"]
    draw = np.random.default_rng(0)
    ready = (tuple(draw.random((batch, size, size, 3), "float32") for _ in range(2)),)
    one_step.turn(model, [ready], 1)
    ours, theirs, fed = [], [], []
    for _ in range(runs):
        ours.append(one_step.turn(model, [ready], steps))
        theirs += [ask(**task)["seconds"]] if ask else []
        fed += [fed_turn(model, batch, steps, size)] if feed else []
    row = {"rate": batch / statistics.median(ours), "all": ours}
    if fed:
        row["fed"] = batch / statistics.median(fed)
    if theirs:
        row |= {"lightly": batch / statistics.median(theirs), "lightly_all": theirs}
        row["ratio"] = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    return row


def fed_turn(model, batch, steps, size):
    """Returns seconds a step with views made on the way."""
    import tensorflow as tf

    pixels = np.zeros((batch * 4, size, size, 3), "uint8")
    images = tf.data.Dataset.from_tensor_slices(pixels)
    dataset = data.make_views(images, keras_ssl.views.simclr(size), batch).repeat().take(steps + 1)
    return one_step.timed_fit(model, dataset, steps)


def flops(encoder, size):
    """Operations of an image's forward pass in convolutions and dense layers: nearly all of it."""
    sized = keras.models.clone_model(encoder, input_tensors=keras.Input((size, size, 3)))
    total = 0
    for layer in sized._flatten_layers(include_self=False):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            total += 2 * math.prod(kernel.shape) * math.prod(layer.output.shape[1:-1])
    return total


def show(row):
    """Prints a row."""
    cells = [row["method"], row["precision"], f"{row['rate']:,.0f}"]
    cells += [f"{row['fed']:,.0f}" if "fed" in row else "-"]
    cells += [f"{100 * row['of_peak']:.0f}" if "of_peak" in row else "-"]
    cells += [f"{row['lightly']:,.0f}" if "lightly" in row else "-"]
    cells += [f"{row['ratio']:.2f}" if "ratio" in row else "-"]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
