"""What importing keras_ssl takes on top of keras and tensorflow, and the time to the first step.

python benchmarks/start.py
python benchmarks/start.py --runs 15 --output start.json

Each figure is of a new process; kinds take turns, and each share is of two neighbors. The first
step is that of SimCLR on ready views, from the start of the process to the end of the step, beside
one of the same encoder supervised in plain Keras.
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
    "keras_ssl, then each public name": "import keras_ssl, tensorflow\n"
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
    "SimCLR, views made on the way": SETUP
    + """
import keras_ssl
model = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((32, 32, 3)))
model.compile("sgd")
pixels = tf.data.Dataset.from_tensor_slices((255 * images).astype("uint8"))
model.fit(keras_ssl.data.make_views(pixels, keras_ssl.views.simclr(32), 64), verbose=0)
""",
}


def main(runs: int = 9, output: Path | None = None) -> None:
    """Measures, prints a table and, where asked, writes it down.

    Args:
        runs: Turns.
        output: JSON file to write.
    """
    print(f"{methods_table.machine()}; load {os.getloadavg()[0]:.1f}")
    print("| what | seconds | lowest to highest | over the first |")
    print("| --- | --- | --- | --- |")
    found = {**compare(IMPORTS, runs), **compare(STEPS, max(1, runs // 2))}
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n")


def compare(kinds, runs):
    """Lets all kinds take turns, prints a row for each and returns them."""
    for code in kinds.values():
        seconds(code)  # files are read into the memory of the machine
    times = [{name: seconds(code) for name, code in kinds.items()} for _ in range(runs)]
    first, found = next(iter(kinds)), {}
    for name in kinds:
        each = [turn[name] for turn in times]
        more = statistics.median(turn[name] / turn[first] - 1 for turn in times)
        found[name] = {"seconds": statistics.median(each), "all": each, "more": more}
        print(
            f"| {name} | {found[name]['seconds']:.2f} | {min(each):.2f} to {max(each):.2f} | "
            f"{'' if name == first else f'{100 * more:+.1f} %'} |",
            flush=True,
        )
    return found


def seconds(code):
    """Returns the processor and waiting time of a new process that runs the code."""
    timed = f"import time; began = time.perf_counter()\n{code}\nprint(time.perf_counter() - began)"
    command = [sys.executable, "-c", timed]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(ran.stdout.split()[-1])


if __name__ == "__main__":
    tyro.cli(main)
