"""Seconds and accuracy of kNN and the linear probe on features at hand, beside the peers'.

python benchmarks/probes.py
python benchmarks/probes.py --lightly path/to/other/environment/bin/python --output probes.json
python benchmarks/probes.py --probes knn --train 1000000 --test 1000

scikit-learn's kNN votes with the same weights, by brute force on all cores; its linear model is
`LogisticRegression` after `StandardScaler`, as anybody would write it. lightly's `knn_predict` is
given 256 queries at a time, as its callers do; its linear probe is the head of its
`LinearClassifier` trained as there: SGD, momentum 0.9, rate 0.1 a batch of 256, cosine, 90 epochs.
All are given the same features of ten classes that overlap, and take turns.
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

K, TEMPERATURE = 200, 0.1


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
    """Measures, prints a table and, where asked, writes it down.

    Args:
        probes: Which.
        train: Images that are known.
        test: Images to tell.
        width: Numbers in a feature.
        runs: Turns to take the median of.
        peers: Whether to ask the peers at all.
        lightly: Python of an environment with lightly; None to leave it out.
        output: JSON file to write.
    """
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print(f"{test:,} images over {train:,} x {width}, {runs} turns")
    print("| probe | by | seconds | lowest to highest | accuracy, % | peak memory, MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = {}
    with tempfile.TemporaryDirectory() as folder, peer(lightly, "lightly_probes.py") as ask:
        arrays = features(train, test, width)
        np.savez(Path(folder) / "features.npz", *arrays)
        for probe in probes:
            turns = {"keras_ssl": lambda probe=probe: own(OURS[probe], arrays)}
            if peers:
                turns["scikit-learn"] = lambda probe=probe: own(SKLEARN[probe], arrays)
            if ask:
                task = {"probe": probe, "file": f"{folder}/features.npz"}
                turns["lightly"] = lambda task=task: ask(**task)
            found[probe] = measure(probe, turns, runs)
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n")


def features(train, test, width, classes=10):
    """Returns features and labels of classes that overlap: train, then test."""
    draw = np.random.default_rng(0)
    centers = draw.standard_normal((classes, width), "float32")
    found = []
    for count in (train, test):
        labels = draw.integers(0, classes, count)
        noise = draw.standard_normal((count, width), "float32")
        # Few directions carry most of it, as in features that were learned.
        spectrum = (1 / np.sqrt(1 + np.arange(width))).astype("float32")
        found += [spectrum * (0.12 * centers[labels] + noise), labels]
    return found


def measure(probe, turns, runs):
    """Lets all take turns, prints a row for each and returns them."""
    seconds, last = {name: [] for name in turns}, {}
    for _ in range(runs):
        for name, turn in turns.items():
            last[name] = turn()
            seconds[name].append(last[name]["seconds"])
    rows = {}
    for name, each in seconds.items():
        row = {"seconds": statistics.median(each), "all": each}
        rows[name] = row | {key: last[name][key] for key in ("accuracy", "peak_mib")}
        print(
            f"| {probe} | {name} | {row['seconds']:.1f} | {min(each):.1f} to {max(each):.1f} | "
            f"{100 * rows[name]['accuracy']:.2f} | {rows[name]['peak_mib']:,.0f} |",
            flush=True,
        )
    return rows


def own(function, arrays):
    """Runs a probe in a process of its own, so that its memory is its own."""
    with tempfile.TemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            began = time.perf_counter()
            found = {"accuracy": float(function(*arrays))}
            found["seconds"] = time.perf_counter() - began
            found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            answer.write(json.dumps(found).encode())
            answer.flush()
            os._exit(0)
        os.waitpid(child, 0)
        answer.seek(0)
        return json.loads(answer.read())


def sklearn_knn(train, train_labels, test, test_labels):
    """The same votes by scikit-learn."""
    from sklearn.neighbors import KNeighborsClassifier

    def weights(distance):
        return np.exp((1 - distance) / TEMPERATURE)

    model = KNeighborsClassifier(
        min(K, len(train)), weights=weights, algorithm="brute", metric="cosine", n_jobs=-1
    )
    return model.fit(train, train_labels).score(test, test_labels)


def sklearn_linear(train, train_labels, test, test_labels):
    """Logistic regression on standardized features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    return model.fit(train, train_labels).score(test, test_labels)


OURS = {"knn": knn_from_features, "linear": linear_probe_from_features}
SKLEARN = {"knn": sklearn_knn, "linear": sklearn_linear}


if __name__ == "__main__":
    tyro.cli(main)
