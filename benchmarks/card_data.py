"""CIFAR-10 in two files small enough to be sent one by one: lossless WebP, and the labels.

A part is one large image with half of the images of the data set as tiles, the images for training
before those for testing.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

PARTS = ("cifar10-1.webp", "cifar10-2.webp")
LABELS = "cifar10-labels.npz"
SIDE = 32


def write_parts(folder: Path, train: tuple, test: tuple) -> None:
    """Writes images and labels to a folder.

    Args:
        folder: Folder to write to, created if missing.
        train: Pair of arrays: uint8 images `(N, 32, 32, 3)` and labels `(N,)`.
        test: Pair of arrays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    halves = np.array_split(np.concatenate([train[0], test[0]]), len(PARTS))
    for name, images in zip(PARTS, halves, strict=True):
        # "quality" is the effort of the compression: all levels are lossless.
        Image.fromarray(to_tiles(images)).save(
            folder / name, "WEBP", lossless=True, quality=60, method=4
        )
    np.savez(folder / LABELS, train=train[1].astype("uint8"), test=test[1].astype("uint8"))


def read_parts(folder: Path) -> tuple[tuple, tuple]:
    """Returns what `write_parts` wrote: images and labels for training, and those for testing.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    with np.load(folder / LABELS) as labels:
        train, test = labels["train"], labels["test"]
    counts = [len(half) for half in np.array_split(np.arange(len(train) + len(test)), len(PARTS))]
    with ThreadPoolExecutor() as threads:  # the decoder runs without Python's lock
        parts = threads.map(read_part, [folder / name for name in PARTS], counts)
        images = np.concatenate(list(parts))
    return (images[: len(train)], train), (images[len(train) :], test)


def read_part(file: Path, count: int) -> np.ndarray:
    """Returns the first `count` tiles of an image file."""
    with Image.open(file) as image:
        tiles = np.asarray(image.convert("RGB"))
    rows, columns = tiles.shape[0] // SIDE, tiles.shape[1] // SIDE
    tiles = tiles.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)
    return tiles.reshape(-1, SIDE, SIDE, 3)[:count]


def to_tiles(images: np.ndarray) -> np.ndarray:
    """Returns a nearly square image with the images as tiles, row by row, then black tiles."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    tiles = np.zeros((rows * columns, SIDE, SIDE, 3), "uint8")
    tiles[: len(images)] = images
    tiles = tiles.reshape(rows, columns, SIDE, SIDE, 3).swapaxes(1, 2)
    return tiles.reshape(rows * SIDE, columns * SIDE, 3)
