"""How many images RandAugment changes in a second: ours, KerasCV's, Keras's, and PIL's one by one.

python benchmarks/rand_augment.py
python benchmarks/rand_augment.py --size 32 --runs 9 --output rand_augment.json

All get the same uint8 images from memory, in batches, through one `tf.data` pipeline with parallel
calls; PIL gets them in as many processes as there are cores, each image as an image already. Turns
alternate, after one to warm up; medians, and the spread. Two operations for each image; ours is
measured as FixMatch has it, where an operation that was drawn is applied half of the time, and with
all applied, as the others do. Draws differ: KerasCV has ten operations and one strength, Keras ten.
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
    """Measures, prints a table and, where asked, writes it down.

    Args:
        size: Pixels a side.
        batch_size: Images in a batch.
        runs: Turns of each.
        output: JSON file to write.
    """
    pixels = np.random.default_rng(0).integers(
        0, 256, (max(COUNT.values()), size, size, 3), "uint8"
    )
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        turns = {**of_tensorflow(pixels, batch_size), "PIL": lambda: of_pil(pool, pixels)}
        rates = {name: [] for name in turns}
        for turn in range(runs + 1):
            for name, run in turns.items():
                began = time.perf_counter()
                run()
                if turn:
                    rates[name].append(COUNT[name] / (time.perf_counter() - began))
    load = os.getloadavg()[0]
    base = statistics.median(rates["keras_cv"])
    print(f"{len(os.sched_getaffinity(0))} cores, load {load:.1f}, {size} pixels a side")
    print(f"{'':<20}{'images/s':>10}{'lowest':>10}{'highest':>10}{'to keras_cv':>13}")
    for name, found in rates.items():
        median = statistics.median(found)
        print(
            f"{name:<20}{median:>10,.0f}{min(found):>10,.0f}{max(found):>10,.0f}"
            f"{median / base:>12.1f}x"
        )
    if output is not None:
        machine = {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}
        written = {"machine": machine, "load": load, "size": size, "images_per_second": rates}
        output.write_text(json.dumps(written, indent=2) + "\n")


def of_tensorflow(pixels, batch_size):
    """Functions that run one turn each."""
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

    def turn(name):
        batches = tf.data.Dataset.from_tensor_slices(pixels[: COUNT[name]]).batch(batch_size)
        made = batches.map(calls[name], num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
        return lambda: made.reduce(np.int64(0), lambda count, _: count + 1)

    return {name: turn(name) for name in calls}


def of_pil(pool, pixels):
    """One turn of PIL: shares of the images go to the processes of a pool."""
    pool.map(change_all, np.array_split(pixels[: COUNT["PIL"]], 16))


def change_all(pixels):
    """Changes images one by one, as FixMatch's authors did."""
    random = np.random.default_rng(0)
    return [np.asarray(change(Image.fromarray(each), random)) for each in pixels]


def change(image, random):
    """Applies two of fourteen operations, each half of the time, at a level of its own."""
    for _ in range(2):
        operation, level = OPERATIONS[random.integers(14)], random.integers(1, 10) / 10
        level = level if random.random() < 0.5 else -level
        if random.random() < 0.5:
            image = operation(image, level)
    return image


def enhance(kind):
    """An operation of `ImageEnhance`."""
    return lambda image, level: kind(image).enhance(0.05 + 0.9 * abs(level))


def affine(matrix):
    """An operation that moves pixels, by 0.3 of a side at most."""
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
