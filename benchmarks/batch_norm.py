"""Training time of convolution and of batch norm, the layer of Keras and the fused operation.

    python benchmarks/batch_norm.py

Each cell is the time in milliseconds of the gradient of one layer of a ResNet-18 at 32 pixels for
a batch of 64, with the forward pass if the gradient needs it.
"""

import statistics
import time

import methods_table
import tensorflow as tf
import tyro


def main(batch_size: int = 64, runs: int = 9) -> None:
    """Measures and prints a table.

    Args:
        batch_size: Number of images.
        runs: Number of repetitions. Each cell is their median.
    """
    print(methods_table.machine())
    print("| channels | side | dtype | convolution | batch norm, plain | batch norm, fused |")
    print("| --- | --- | --- | --- | --- | --- |")
    for channels, side in ((64, 32), (128, 16), (256, 8), (512, 4)):
        for dtype in (tf.float32, tf.bfloat16):
            x = tf.cast(tf.random.normal((batch_size, side, side, channels)), dtype)
            kernel = tf.cast(0.05 * tf.random.normal((3, 3, channels, channels)), dtype)
            scale_and_offset = [tf.ones(channels), tf.zeros(channels)]
            cells = [
                milliseconds(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"), x, [kernel], runs),
                milliseconds(plain, x, scale_and_offset, runs),
                milliseconds(fused, x, scale_and_offset, runs),
            ]
            times = " | ".join(f"{cell:.1f}" for cell in cells)
            print(f"| {channels} | {side} | {dtype.name} | {times} |", flush=True)


def plain(x, scale, offset):
    """Batch norm as in the layer of Keras."""
    cast = tf.cast(x, tf.float32)
    mean, variance = tf.nn.moments(cast, [0, 1, 2])
    return tf.cast(tf.nn.batch_normalization(cast, mean, variance, offset, scale, 1e-5), x.dtype)


def fused(x, scale, offset):
    """Batch norm as in keras_ssl."""
    empty = tf.zeros(0)
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=offset, mean=empty, variance=empty, epsilon=1e-5
    ).y


def milliseconds(layer, x, weights, runs):
    """Returns the median time of the gradient with respect to the input and the weights."""

    @tf.function
    def gradient(x, *weights):
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            y = layer(x, *weights)
        return tape.gradient(y, [x, *weights], output_gradients=x)

    gradient(x, *weights)
    times = []
    for _ in range(runs):
        start_time = time.perf_counter()
        gradient(x, *weights)[0].numpy()
        times.append(1000 * (time.perf_counter() - start_time))
    return statistics.median(times)


if __name__ == "__main__":
    tyro.cli(main)
