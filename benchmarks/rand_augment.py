"""Throughput of RandAugment, in images per second: keras_ssl, KerasCV, Keras and PIL.

python benchmarks/rand_augment.py
python benchmarks/rand_augment.py --size 32 --runs 9 --output rand_augment.json

All get the same uint8 images from memory, in batches, through a `tf.data` pipeline with parallel
calls. PIL runs in one process per core. The runs alternate, after one warm-up run; the table shows
medians and the range. Each image gets two operations. keras_ssl is measured as in FixMatch, which
applies an operation half of the time, and with all operations applied, as in the other libraries.
The operations differ: KerasCV has ten and one strength, Keras has ten.
"""

import json
import multiprocessing
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import tyro
from PIL import Image, ImageEnhance, ImageOps

COUNT = {"ours": 20_000, "ours, all applied": 20_000, "keras_cv": 10_000, "keras": 4_000}
COUNT |= {"PIL": 10_000}


def main(size: int = 32, batch_size: int = 256, runs: int = 7, output: Path | None = None) -> None:
    """Measures all libraries and prints a table.

    Args:
        size: Side of the images in pixels.
        batch_size: Images per batch.
        runs: Number of runs of each library.
        output: JSON file for the results. None for no file.
    """
    pixels = np.random.default_rng(0).integers(
        0, 256, (max(COUNT.values()), size, size, 3), "uint8"
    )
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        libraries = tensorflow_runs(pixels, batch_size) | {"PIL": lambda: run_pil(pool, pixels)}
        rates = {name: [] for name in libraries}
        for index in range(runs + 1):
            for name, run in libraries.items():
                start = time.perf_counter()
                run()
                if index:  # the first is for warm-up
                    rates[name].append(COUNT[name] / (time.perf_counter() - start))
    load = os.getloadavg()[0]
    baseline = statistics.median(rates["keras_cv"])
    print(f"{len(os.sched_getaffinity(0))} cores, load {load:.1f}, {size} pixels")
    print(f"{'':<20}{'images/s':>10}{'lowest':>10}{'highest':>10}{'to keras_cv':>13}")
    for name, values in rates.items():
        median = statistics.median(values)
        print(
            f"{name:<20}{median:>10,.0f}{min(values):>10,.0f}{max(values):>10,.0f}"
            f"{median / baseline:>12.1f}x"
        )
    if output is not None:
        machine = {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}
        results = {"machine": machine, "load": load, "size": size, "images_per_second": rates}
        output.write_text(json.dumps(results, indent=2) + "\n")


def tensorflow_runs(pixels, batch_size):
    """Returns a function for each library on TensorFlow that does one run."""
    import keras
    import keras_cv
    import tensorflow as tf

    from keras_ssl import views

    keras_cv_layer = keras_cv.layers.RandAugment((0, 1), augmentations_per_image=2, magnitude=0.5)
    keras_layer = keras.layers.RandAugment((0, 1), num_ops=2, factor=0.5)
    seed = tf.constant([0, 0])
    calls = {
        "ours": lambda images: views.RandAugment()(images, seed),
        "ours, all applied": lambda images: views.RandAugment(probability=1.0)(images, seed),
        "keras_cv": lambda images: keras_cv_layer(tf.cast(images, tf.float32) / 255),
        "keras": lambda images: keras_layer(tf.cast(images, tf.float32) / 255),
    }

    def make_run(name):
        batches = tf.data.Dataset.from_tensor_slices(pixels[: COUNT[name]]).batch(batch_size)
        dataset = batches.map(calls[name], num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
        return lambda: dataset.reduce(np.int64(0), lambda count, _: count + 1)

    return {name: make_run(name) for name in calls}


def run_pil(pool, pixels):
    """Does one run of PIL in the processes of a pool."""
    pool.map(augment_images, np.array_split(pixels[: COUNT["PIL"]], 16))


def augment_images(pixels):
    """Augments images one at a time, as in the code of FixMatch's authors."""
    rng = np.random.default_rng(0)
    return [np.asarray(augment(Image.fromarray(image), rng)) for image in pixels]


def augment(image, rng):
    """Applies two of fourteen operations, each half of the time and at a random level."""
    for _ in range(2):
        operation, level = OPERATIONS[rng.integers(14)], rng.integers(1, 10) / 10
        level = level if rng.random() < 0.5 else -level
        if rng.random() < 0.5:
            image = operation(image, level)
    return image


def enhance(kind):
    """Returns an operation of `ImageEnhance`."""
    return lambda image, level: kind(image).enhance(0.05 + 0.9 * abs(level))


def affine(matrix):
    """Returns an operation that moves pixels by up to 0.3 of a side."""
    return lambda image, level: image.transform(
        image.size, Image.Transform.AFFINE, matrix(0.3 * level, image.size)
    )


OPERATIONS = (
    lambda image, level: ImageOps.autocontrast(image),
    enhance(ImageEnhance.Brightness),
    enhance(ImageEnhance.Color),
    enhance(ImageEnhance.Contrast),
    lambda image, level: ImageOps.equalize(image),
    lambda image, level: image,
    lambda image, level: ImageOps.posterize(image, 4 + int(4 * abs(level))),
    lambda image, level: image.rotate(30 * level),
    enhance(ImageEnhance.Sharpness),
    affine(lambda share, size: (1, share, 0, 0, 1, 0)),
    affine(lambda share, size: (1, 0, 0, share, 1, 0)),
    lambda image, level: ImageOps.solarize(image, 256 - int(256 * abs(level))),
    affine(lambda share, size: (1, 0, int(share * size[0]), 0, 1, 0)),
    affine(lambda share, size: (1, 0, 0, 0, 1, int(share * size[1]))),
)


if __name__ == "__main__":
    tyro.cli(main)
