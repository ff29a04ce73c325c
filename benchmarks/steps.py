"""Time of a training step of each method, relative to a supervised model in plain Keras.

    python benchmarks/steps.py                          # ResNet-18, batches of 256, some minutes
    python benchmarks/steps.py --encoder small_resnet --methods SimCLR VICReg --output steps.json

Both have the same encoder and process the same number of images in a step: the precomputed views
of a batch. The supervised model is the encoder, a `Dense` layer and cross-entropy, trained by the
`fit` of Keras with the same optimizer. Runs alternate; each ratio compares two consecutive runs,
and the table shows the median.
"""

import json
import statistics
import time
from pathlib import Path
from typing import Literal

import keras
import methods_table
import numpy as np
import tyro

import keras_ssl
from keras_ssl import encoders

WIDE = {"projector": (2048, 2048, 2048)}
# Name: class, its arguments, number of views, and additional forward passes.
METHODS = {
    "SimCLR": (keras_ssl.SimCLR, {}, 2, ""),
    "SimSiam": (keras_ssl.SimSiam, {}, 2, ""),
    "BarlowTwins": (keras_ssl.BarlowTwins, WIDE, 2, ""),
    "VICReg": (keras_ssl.VICReg, WIDE, 2, ""),
    "SupCon": (keras_ssl.SupCon, {}, 2, ""),
    "NNCLR": (keras_ssl.NNCLR, {"queue_size": 4096}, 2, ""),
    "SwAV": (keras_ssl.SwAV, {"prototypes": 128}, 2, ""),
    "BYOL": (keras_ssl.BYOL, {}, 2, "both views through the momentum encoder"),
    "MoCo": (keras_ssl.MoCo, {"queue_size": 4096}, 2, "one view through each encoder"),
    "DINO": (keras_ssl.DINO, {"prototypes": 256}, 2, "both views through the teacher"),
}


def main(
    methods: tuple[Literal[tuple(METHODS)], ...] = tuple(METHODS),
    encoder: Literal["resnet18", "small_resnet", "vit_tiny"] = "resnet18",
    batch_size: int = 256,
    steps: int = 2,
    runs: int = 5,
    precision: Literal["float32", "mixed_bfloat16"] = "float32",
    output: Path | None = None,
) -> None:
    """Measures, prints a table and writes it if `output` is given.

    Args:
        methods: Methods to measure.
        encoder: Encoder for images of 32 pixels.
        batch_size: Number of images in a step, each with several views.
        steps: Number of steps in a run.
        runs: Number of runs.
        precision: Keras dtype policy.
        output: JSON file to write.
    """
    keras.config.set_dtype_policy(precision)
    print(f"{encoder}, batches of {batch_size}, {precision}; {methods_table.machine()}")
    print("| method | step, s | supervised, s | ratio | lowest to highest | additional passes |")
    print("| --- | --- | --- | --- | --- | --- |")
    rows = {}
    for name in methods:
        rows[name] = row = measure(name, encoder, batch_size, steps, runs)
        passes = METHODS[name][3]
        print(
            f"| {name} | {row['step']:.2f} | {row['supervised']:.2f} | {row['ratio']:.3f} | "
            f"{row['lowest']:.3f} to {row['highest']:.3f} | {passes} |",
            flush=True,
        )
        keras.backend.clear_session()
    if output is not None:
        output.write_text(json.dumps(rows, indent=2) + "\n")


def measure(name, encoder, batch_size, steps, runs):
    """Returns the medians of one method and of the supervised model."""
    make, options, count, _ = METHODS[name]
    shape, rng = (32, 32, 3), np.random.default_rng(0)
    views = [rng.random((batch_size, *shape), "float32") for _ in range(count)]
    labels = rng.integers(0, 10, batch_size)
    method = make(new_encoder(encoder, shape), **options)
    batch = (tuple(views), labels) if name == "SupCon" else (tuple(views),)
    supervised = keras.Sequential([new_encoder(encoder, shape), keras.layers.Dense(10)])
    method.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    supervised.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    pairs = [
        (method, [batch]),
        (supervised, [(np.concatenate(views), np.tile(labels, count))]),
    ]
    for model, batches in pairs:
        turn(model, batches, 1)
    times = [[turn(model, batches, steps) for model, batches in pairs] for _ in range(runs)]
    ratios = [method_time / supervised_time for method_time, supervised_time in times]
    return {
        "step": statistics.median(method_time for method_time, _ in times),
        "supervised": statistics.median(supervised_time for _, supervised_time in times),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def new_encoder(name, shape):
    """Returns an encoder for small images."""
    options = {"patch_size": 4} if name == "vit_tiny" else {}
    options |= {"stem": "cifar"} if name == "resnet18" else {}
    return getattr(encoders, name)(shape, **options)


def turn(model, batches, steps):
    """Returns the seconds per step in `fit`, after one step to warm up."""
    return timed_fit(model, repeated(batches[0], steps + 1), steps)


def repeated(element, count):
    """Returns a dataset that repeats a batch, already on the device for JAX."""
    if keras.backend.backend() == "jax":
        import jax

        element = jax.device_put(element)
        return Repeated(element, count)
    import tensorflow as tf

    return tf.data.Dataset.from_tensors(element).cache().repeat(count)


class Repeated(keras.utils.PyDataset):
    """A dataset that repeats a batch."""

    def __init__(self, element, count):
        super().__init__()
        self.element, self.count = element, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.element


def timed_fit(model, batches, steps, **kwargs):
    """Returns the seconds per step, from the end of the first step to the end of the last.

    Args:
        model: Compiled model.
        batches: Data of `fit` with `steps + 1` steps.
        steps: Int, number of steps to time.
        **kwargs: Further arguments of `fit`.
    """
    timer = StepTimer(steps)
    model.fit(batches, verbose=0, callbacks=[timer], **kwargs)
    return (timer.times[steps] - timer.times[0]) / steps


class StepTimer(keras.callbacks.Callback):
    """Records when the first and the last step have finished."""

    # On JAX, Keras then waits for the numbers of a step in another thread, as without callbacks,
    # and starts the following steps meanwhile.
    async_safe = True

    def __init__(self, last):
        super().__init__()
        self.last = last
        self.times = {}

    def on_train_batch_end(self, batch, logs=None):
        """Records the time. Keras has waited for the logs, which are floats."""
        if batch in (0, self.last):
            self.times[batch] = time.perf_counter()


if __name__ == "__main__":
    tyro.cli(main)
