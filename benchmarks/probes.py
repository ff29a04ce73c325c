"""Time, memory and accuracy of kNN and the linear probe on precomputed features, against peers.

python benchmarks/probes.py
python benchmarks/probes.py --lightly path/to/other/environment/bin/python --output probes.json
python benchmarks/probes.py --probes knn --train 1000000 --test 1000

scikit-learn's kNN votes with the same weights, by brute force on all cores. Its linear probe is
`LogisticRegression` after `StandardScaler`. lightly's `knn_predict` gets 256 queries at a time, as
in lightly's own code. Its linear probe is the head of its `LinearClassifier`, trained as there:
SGD, momentum 0.9, learning rate 0.1 for batches of 256, cosine decay, 90 epochs. All
implementations get the same features of ten overlapping classes, and run in turns.
"""

import json
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Literal

import methods_table
import numpy as np
import tyro
from peer import peer

from keras_ssl.evaluation import knn_from_features, linear_probe_from_features

K, TEMPERATURE = 200, 0.1  # the defaults of keras_ssl
CLASS_DISTANCE = 0.12  # relative to the noise, so that accuracies are far from 0 and 1


def main(
    probes: tuple[Literal["knn", "linear"], ...] = ("knn", "linear"),
    train: int = 50_000,
    test: int = 10_000,
    width: int = 512,
    runs: int = 3,
    peers: bool = True,
    lightly: Path | None = None,
    output: Path | None = None,
) -> None:
    """Measures all implementations, prints a table and optionally writes it to a file.

    Args:
        probes: Probes to measure.
        train: Number of training images.
        test: Number of test images.
        width: Dimension of the features.
        runs: Number of runs of each implementation; the table has their median.
        peers: Whether to measure the peers.
        lightly: Python interpreter of an environment with lightly; None to leave lightly out.
        output: JSON file to write.
    """
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print(f"{test:,} test images, {train:,} training images, {width} dimensions, {runs} runs")
    print("| probe | by | seconds | lowest to highest | accuracy, % | peak memory, MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    results = {}
    with tempfile.TemporaryDirectory() as folder, peer(lightly, "lightly_probes.py") as ask:
        arrays = random_features(train, test, width)
        np.savez(Path(folder) / "features.npz", *arrays)
        for probe in probes:
            runners = {"keras_ssl": lambda probe=probe: run_in_fork(KERAS_SSL[probe], arrays)}
            if peers:
                runners["scikit-learn"] = lambda probe=probe: run_in_fork(SKLEARN[probe], arrays)
            if ask:
                task = {"probe": probe, "file": f"{folder}/features.npz"}
                runners["lightly"] = lambda task=task: ask(**task)
            results[probe] = measure(probe, runners, runs)
    if output is not None:
        output.write_text(json.dumps(results, indent=2) + "\n")


def random_features(train, test, width, classes=10):
    """Returns features and labels of overlapping classes: for training, then for testing."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((classes, width), "float32")
    # Most of the variance is in a few directions, as in learned features.
    spectrum = (1 / np.sqrt(1 + np.arange(width))).astype("float32")
    arrays = []
    for count in (train, test):
        labels = rng.integers(0, classes, count)
        noise = rng.standard_normal((count, width), "float32")
        arrays += [spectrum * (CLASS_DISTANCE * centers[labels] + noise), labels]
    return arrays


def measure(probe, runners, runs):
    """Runs all implementations in turns, prints a row for each and returns the rows."""
    seconds, last_results = {name: [] for name in runners}, {}
    for _ in range(runs):
        for name, run in runners.items():
            last_results[name] = run()
            seconds[name].append(last_results[name]["seconds"])
    rows = {}
    for name, times in seconds.items():
        row = {"seconds": statistics.median(times), "all": times}
        rows[name] = row | {key: last_results[name][key] for key in ("accuracy", "peak_mib")}
        print(
            f"| {probe} | {name} | {row['seconds']:.1f} | {min(times):.1f} to {max(times):.1f} | "
            f"{100 * rows[name]['accuracy']:.2f} | {rows[name]['peak_mib']:,.0f} |",
            flush=True,
        )
    return rows


def run_in_fork(probe, arrays):
    """Runs a probe in a forked process, so that the peak memory is that of this probe alone."""
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if child == 0:
            start = time.perf_counter()
            result = {"accuracy": float(probe(*arrays))}
            result["seconds"] = time.perf_counter() - start
            result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            file.write(json.dumps(result).encode())
            file.flush()
            os._exit(0)
        os.waitpid(child, 0)
        file.seek(0)
        return json.loads(file.read())


def sklearn_knn(train, train_labels, test, test_labels):
    """scikit-learn's kNN with the same weights of votes."""
    from sklearn.neighbors import KNeighborsClassifier

    def weights(distance):
        return np.exp((1 - distance) / TEMPERATURE)

    model = KNeighborsClassifier(
        min(K, len(train)), weights=weights, algorithm="brute", metric="cosine", n_jobs=-1
    )
    return model.fit(train, train_labels).score(test, test_labels)


def sklearn_linear(train, train_labels, test, test_labels):
    """scikit-learn's logistic regression on standardized features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    return model.fit(train, train_labels).score(test, test_labels)


KERAS_SSL = {"knn": knn_from_features, "linear": linear_probe_from_features}
SKLEARN = {"knn": sklearn_knn, "linear": sklearn_linear}


if __name__ == "__main__":
    tyro.cli(main)
