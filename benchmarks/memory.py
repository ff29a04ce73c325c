"""Peak memory and step time against the batch: similarities in num_chunks, batches in pieces.

python benchmarks/memory.py
python benchmarks/memory.py --batches 512 1024 --num_chunks 8 --pieces 8

Each row is a process of its own. The first table is of the loss alone, with its gradient; the
second of a training step of SimCLR with a ResNet-18 at 32 pixels.
"""

import resource
import statistics
import subprocess
import sys
import time

import tyro

WIDTH = 128


def main(
    batches: tuple[int, ...] = (1024, 2048, 4096, 8192),
    steps: tuple[int, ...] = (64, 128, 256),
    num_chunks: int = 8,
    pieces: int = 8,
    repeats: int = 3,
    one: str = "",
) -> None:
    """Measures and prints.

    Args:
        batches: Of the loss.
        steps: Batches of the training step.
        num_chunks: Of similarities, against 1.
        pieces: Of a batch, against 1.
        repeats: Of each, of which the median time counts.
        one: For the processes this starts: what to measure.
    """
    if one:
        measure(one, repeats)
        return
    print("| NT-Xent and its gradient, batch | num_chunks | MiB | seconds |\n|---|---|---|---|")
    for batch in batches:
        for count in (1, num_chunks):
            row("loss", batch, count, repeats)
    print("\n| step of SimCLR, batch | pieces | MiB | seconds |\n|---|---|---|---|")
    for batch in steps:
        for count in (1, pieces):
            row("step", batch, count, repeats)


def row(what, batch, count, repeats):
    """Measures in a process of its own, so that peaks do not add up."""
    command = [sys.executable, __file__, "--one", f"{what} {batch} {count}"]
    command += ["--repeats", str(repeats)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    found = ran.stdout.strip() or f"failed: {ran.stderr.strip().splitlines()[-1][:60]} | -"
    print(f"| {batch} | {count} | {found} |", flush=True)


def measure(one, repeats):
    """Prints MiB on top of what was in use before, and the median of the seconds."""
    import numpy as np
    import tensorflow as tf

    import keras_ssl

    what, batch, count = one.split()
    batch, count = int(batch), int(count)
    rng = np.random.default_rng(0)
    if what == "loss":
        z = [tf.constant(rng.standard_normal((batch, WIDTH), "float32")) for _ in range(2)]

        @tf.function
        def run():
            with tf.GradientTape() as tape:
                tape.watch(z)
                loss = keras_ssl.losses.nt_xent(*z, num_chunks=count)
            return loss, tape.gradient(loss, z)

        before = peak()
    else:
        encoder = keras_ssl.encoders.resnet18((32, 32, 3), stem="cifar")
        model = keras_ssl.SimCLR(encoder)
        model.compile("sgd", microbatches=count)
        views = tuple(rng.random((2, batch, 32, 32, 3), "float32"))
        before = peak()

        def run():
            model.fit(views, batch_size=batch, verbose=0)

    run()  # which traces
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(f"{peak() - before:.0f} | {statistics.median(seconds):.2f}")


def peak():
    """Largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    tyro.cli(main)
