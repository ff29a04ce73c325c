"""Seconds and memory of weighted kNN on features at hand.

python benchmarks/knn.py
python benchmarks/knn.py --memory 1000000 --queries 1000
"""

import resource
import statistics
import time

import numpy as np
import tyro

from keras_ssl.evaluation import knn_from_features


def main(memory: int = 50_000, queries: int = 10_000, width: int = 512, runs: int = 3) -> None:
    """Measures and prints.

    Args:
        memory: Training images.
        queries: Test images.
        width: Numbers in a feature.
        runs: Repetitions to take the median of.
    """
    rng = np.random.default_rng(0)
    train, test = (rng.random((rows, width), "float32") - 0.5 for rows in (memory, queries))
    train_labels, test_labels = (rng.integers(0, 10, rows) for rows in (memory, queries))
    before, seconds = peak(), []
    for _ in range(runs):
        start = time.perf_counter()
        knn_from_features(train, train_labels, test, test_labels)
        seconds.append(time.perf_counter() - start)
    print(
        f"{queries} queries over {memory} x {width}: {statistics.median(seconds):.1f} s, from "
        f"{min(seconds):.1f} to {max(seconds):.1f}; peak memory of the process {peak():.0f} MiB, "
        f"{before:.0f} before."
    )


def peak():
    """Largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    tyro.cli(main)
