"""Peak memory and step time against the batch size, with chunks and with microbatches.

    python benchmarks/memory.py
    python benchmarks/memory.py --batches 512 1024 --num-chunks 8 --microbatches 8

Each row is measured in its own process. The first table is for the loss and its gradient, the
second for a training step of SimCLR with a ResNet-18 at 32 pixels.
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
    microbatches: int = 8,
    repeats: int = 3,
    one: str = "",
) -> None:
    """Measures and prints.

    Args:
        batches: Batch sizes for the loss.
        steps: Batch sizes for the training step.
        num_chunks: Number of chunks of the similarities, compared with 1.
        microbatches: Number of microbatches, compared with 1.
        repeats: Number of repetitions. The time is their median.
        one: Internal, for the subprocesses: what to measure.
    """
    if one:
        measure(one, repeats)
        return
    print("| NT-Xent and its gradient, batch | chunks | MiB | seconds |\n|---|---|---|---|")
    for batch in batches:
        for count in (1, num_chunks):
            row("loss", batch, count, repeats)
    print("\n| step of SimCLR, batch | microbatches | MiB | seconds |\n|---|---|---|---|")
    for batch in steps:
        for count in (1, microbatches):
            row("step", batch, count, repeats)


def row(what, batch, count, repeats):
    """Measures in a subprocess, because the peak memory of a process never falls."""
    command = [sys.executable, __file__, "--one", f"{what} {batch} {count}"]
    command += ["--repeats", str(repeats)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    error = (process.stderr.strip().splitlines() or [""])[-1][:60]
    cells = process.stdout.strip() or f"failed: {error} | -"
    print(f"| {batch} | {count} | {cells} |", flush=True)


def measure(one, repeats):
    """Prints the additional peak memory in MiB and the median time in seconds."""
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

        memory_before = peak_memory()
    else:
        encoder = keras_ssl.encoders.resnet18((32, 32, 3), stem="cifar")
        model = keras_ssl.SimCLR(encoder)
        model.compile("sgd", microbatches=count)
        views = tuple(rng.random((2, batch, 32, 32, 3), "float32"))
        memory_before = peak_memory()

        def run():
            model.fit(views, batch_size=batch, verbose=0)

    run()  # traces the graph
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(f"{peak_memory() - memory_before:.0f} | {statistics.median(seconds):.2f}")


def peak_memory():
    """Returns the largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    tyro.cli(main)
