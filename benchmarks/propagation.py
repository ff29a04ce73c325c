"""Time and memory of label propagation, which ReCLIP runs in each epoch for each of two models.

python benchmarks/propagation.py
python benchmarks/propagation.py --images 10000
"""

import resource
import time

import numpy as np
import tyro

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
        images: Number of unlabeled points.
        classes: Number of labeled points.
        width: Width of an embedding.
        num_neighbors: Number of neighbors of a point in the graph.
        closeness: Share of the class embedding in an embedding; the remainder is random.
    """
    rng = np.random.default_rng(0)
    text = label_propagation.normalize_rows(rng.standard_normal((classes, width), "float32"))
    labels = rng.integers(0, classes, images)
    noise = label_propagation.normalize_rows(rng.standard_normal((images, width), "float32"))
    features = closeness * text[labels] + (1 - closeness) * noise
    features = label_propagation.normalize_rows(features)
    memory_before, start = peak_memory(), time.perf_counter()
    directions = label_propagation.text_directions(text)
    label_propagation.pseudo_labels(text, features, directions, num_neighbors)
    seconds = time.perf_counter() - start
    print(
        f"{images} images, {classes} classes, width {width}, {num_neighbors} neighbors: "
        f"{seconds / 60:.2f} minutes; peak memory of the process {peak_memory():.0f} MiB, "
        f"{memory_before:.0f} before."
    )


def peak_memory():
    """Returns the largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    tyro.cli(main)
