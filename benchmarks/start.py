"""Import time of keras_ssl in addition to keras and tensorflow, and the time to the first step.

    python benchmarks/start.py
    python benchmarks/start.py --runs 15 --output start.json

Each time is measured in a new process. Runs alternate, and each ratio compares two consecutive
runs. The time to the first step of SimCLR on precomputed views, from the start of the process, is
compared with that of the same encoder trained with labels in plain Keras.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import methods_table
import tyro

IMPORTS = {
    "keras and tensorflow": "import keras, tensorflow",
    "keras_ssl, then tensorflow": "import keras_ssl, tensorflow",
    "keras_ssl, then every public name": "import keras_ssl, tensorflow\n"
    "for name in keras_ssl.__all__: dir(getattr(keras_ssl, name))",
}
SETUP = """
import keras, numpy as np
import tensorflow as tf
images = np.random.default_rng(0).random((64, 32, 32, 3), "float32")
"""
STEPS = {
    "supervised": SETUP
    + """
from keras_ssl import encoders
model = keras.Sequential([encoders.small_resnet((32, 32, 3)), keras.layers.Dense(10)])
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
labels = np.zeros(64, int)
model.fit(tf.data.Dataset.from_tensors((images, labels)), verbose=0)
""",
    "SimCLR": SETUP
    + """
import keras_ssl
model = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((32, 32, 3)))
model.compile("sgd")
model.fit(tf.data.Dataset.from_tensors(((images, images),)), verbose=0)
""",
    "SimCLR, views computed during training": SETUP
    + """
import keras_ssl
model = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((32, 32, 3)))
model.compile("sgd")
pixels = tf.data.Dataset.from_tensor_slices((255 * images).astype("uint8"))
model.fit(keras_ssl.data.make_views(pixels, keras_ssl.views.simclr(32), 64), verbose=0)
""",
}


def main(runs: int = 9, output: Path | None = None) -> None:
    """Measures, prints a table and writes it if `output` is given.

    Args:
        runs: Number of runs.
        output: JSON file to write.
    """
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print("| code | seconds | lowest to highest | relative to the first |")
    print("| --- | --- | --- | --- |")
    results = {**compare(IMPORTS, runs), **compare(STEPS, max(1, runs // 2))}
    if output is not None:
        output.write_text(json.dumps(results, indent=2) + "\n")


def compare(programs, runs):
    """Runs all programs in alternation, prints a row for each and returns the times."""
    for code in programs.values():
        seconds(code)  # fills the file cache
    times = [{name: seconds(code) for name, code in programs.items()} for _ in range(runs)]
    first, results = next(iter(programs)), {}
    for name in programs:
        samples = [run[name] for run in times]
        more = statistics.median(run[name] / run[first] - 1 for run in times)
        results[name] = {"seconds": statistics.median(samples), "all": samples, "more": more}
        print(
            f"| {name} | {results[name]['seconds']:.2f} | {min(samples):.2f} to "
            f"{max(samples):.2f} | {'' if name == first else f'{100 * more:+.1f} %'} |",
            flush=True,
        )
    return results


def seconds(code):
    """Returns the time that the code takes in a new process."""
    timed = f"import time; start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    command = [sys.executable, "-c", timed]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(process.stdout.split()[-1])


if __name__ == "__main__":
    tyro.cli(main)
