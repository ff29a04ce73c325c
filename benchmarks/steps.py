"""What a training step of each method costs over one of a bare supervised model in Keras.

python benchmarks/steps.py                              # ResNet-18, batches of 256, some minutes
python benchmarks/steps.py --encoder small_resnet --methods SimCLR VICReg --output steps.json

Both have the same encoder and see as many images in a step: the views of a batch, drawn before. The
supervised model is the encoder, a `Dense` layer and cross-entropy, trained by Keras's own `fit`
with the same optimizer. They take turns; each ratio is of two neighbors, and the median counts.
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
# Name: class, its arguments, views of an image, and what passes beside them.
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
    """Measures, prints a table and, where asked, writes it down.

    Args:
        methods: Which.
        encoder: Of images of 32 pixels.
        batch_size: Images in a step, of which each has several views.
        steps: Of each turn.
        runs: Turns.
        precision: Keras's dtype policy.
        output: JSON file to write.
    """
    keras.config.set_dtype_policy(precision)
    print(f"{encoder}, batches of {batch_size}, {precision}; {methods_table.machine()}")
    print("| method | step, s | supervised, s | ratio | lowest to highest | passes beside |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = {}
    for name in methods:
        found[name] = row = measure(name, encoder, batch_size, steps, runs)
        beside = METHODS[name][3]
        print(
            f"| {name} | {row['step']:.2f} | {row['supervised']:.2f} | {row['ratio']:.3f} | "
            f"{row['lowest']:.3f} to {row['highest']:.3f} | {beside} |",
            flush=True,
        )
        keras.backend.clear_session()
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n")


def measure(name, encoder, batch_size, steps, runs):
    """Returns the medians of one method beside the supervised model."""
    make, options, count, _ = METHODS[name]
    shape, draw = (32, 32, 3), np.random.default_rng(0)
    views = [draw.random((batch_size, *shape), "float32") for _ in range(count)]
    labels = draw.integers(0, 10, batch_size)
    method = make(new_encoder(encoder, shape), **options)
    given = (tuple(views), labels) if name == "SupCon" else (tuple(views),)
    bare = keras.Sequential([new_encoder(encoder, shape), keras.layers.Dense(10)])
    method.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    bare.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    pairs = [
        (method, [given]),
        (bare, [(np.concatenate(views), np.tile(labels, count))]),
    ]
    for model, batch in pairs:
        turn(model, batch, 1)
    times = [[turn(model, batch, steps) for model, batch in pairs] for _ in range(runs)]
    ratios = [of_method / of_bare for of_method, of_bare in times]
    return {
        "step": statistics.median(each[0] for each in times),
        "supervised": statistics.median(each[1] for each in times),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def new_encoder(name, shape):
    """Makes an encoder for small images."""
    options = {"patch_size": 4} if name == "vit_tiny" else {}
    options |= {"stem": "cifar"} if name == "resnet18" else {}
    return getattr(encoders, name)(shape, **options)


def turn(model, batch, steps):
    """Returns the seconds of a step, in a `fit` of a few after one to warm up."""
    return timed_fit(model, repeated(batch[0], steps + 1), steps)


def repeated(element, count):
    """The same batch again and again, already where the backend wants it."""
    if keras.backend.backend() == "jax":
        import jax

        element = jax.device_put(element)
        return Repeated(element, count)
    import tensorflow as tf

    return tf.data.Dataset.from_tensors(element).cache().repeat(count)


class Repeated(keras.utils.PyDataset):
    """The same batch again and again."""

    def __init__(self, element, count):
        super().__init__()
        self.element, self.count = element, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.element


def timed_fit(model, batches, steps):
    """Returns the seconds of a step, from the end of the first to the end of the last."""
    ends = Ends(steps)
    model.fit(batches, verbose=0, callbacks=[ends])
    return (ends.times[1] - ends.times[0]) / steps


class Ends(keras.callbacks.Callback):
    """Notes when the first step and the last were done, results and all."""

    def __init__(self, last):
        super().__init__()
        self.last = last
        self.times = []

    def on_train_batch_end(self, batch, logs=None):
        """Waits for what was computed, and notes the time."""
        if batch in (0, self.last):
            for value in logs.values():
                float(value)  # JAX hands out numbers that are still being worked out
            self.times.append(time.perf_counter())


if __name__ == "__main__":
    tyro.cli(main)
