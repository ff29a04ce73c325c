"""Minutes and memory of label propagation, as ReCLIP does it in each epoch for each of two models.

python benchmarks/propagation.py
python benchmarks/propagation.py --images 10000
"""

import time

import numpy as np
import tyro
from knn import peak

from keras_ssl.models.vision_language.reclip import label_propagation


def main(
    images: int = 50_000,
    classes: int = 10,
    width: int = 512,
    num_neighbors: int = 20,
    closeness: float = 0.1,
) -> None:
    """Measures and prints.

    Args:
        images: Points without a label.
        classes: Points with one.
        width: Numbers in an encoding.
        num_neighbors: Of each point in the graph.
        closeness: How much of an encoding is that of its class; the rest is drawn at random.
    """
    rng = np.random.default_rng(0)
    text = label_propagation.normalize_rows(rng.standard_normal((classes, width), "float32"))
    truth = rng.integers(0, classes, images)
    encoded = label_propagation.normalize_rows(rng.standard_normal((images, width), "float32"))
    encoded = label_propagation.normalize_rows(closeness * text[truth] + (1 - closeness) * encoded)
    before, start = peak(), time.perf_counter()
    directions = label_propagation.text_directions(text)
    label_propagation.pseudo_labels(text, encoded, directions, num_neighbors)
    seconds = time.perf_counter() - start
    print(
        f"{images} images, {classes} classes, {width} numbers, {num_neighbors} num_neighbors: "
        f"{seconds / 60:.2f} minutes; peak memory of the process {peak():.0f} MiB, {before:.0f} "
        "before."
    )


if __name__ == "__main__":
    tyro.cli(main)
