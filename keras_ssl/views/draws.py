"""Random numbers of views: a function of the seed alone, the same on every backend and device.

TensorFlow's stateless random bits are those of Philox-4x32 with 10 rounds, a counter-based
generator. JAX computes the same bits here. TensorFlow's own floats are not used, because XLA makes
others from the same bits.

Source:
    Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405, section 3.3. How TensorFlow makes
    the key and the counter from a seed: the kernels of its stateless random operations.
"""

import functools
import math

import lazy_loader
import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl.views.backend import ops, uses_tensorflow

jax = lazy_loader.load("jax")

# Multipliers of a round and increments of the keys.
MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], "uint32")
INCREMENTS = np.array([0x9E3779B9, 0xBB67AE85], "uint32")
SEED_KEY = np.array([0x3EC8F720, 0x02461E29], "uint32")  # TensorFlow's, for keys from seeds


def uniform(seed, shape):
    """Returns numbers in 0..1 (1 excluded).

    On CPUs, those of `tf.random.stateless_uniform`.

    Args:
        seed: Integer tensor `(2,)`.
        shape: Tuple of ints or scalar tensors.

    Returns:
        float32 tensor of that shape, with 23 random bits each.
    """
    bits = ops.right_shift(ops.left_shift(_random_bits(seed, shape), 9), 9)
    return ops.cast(bits, "float32") * 2.0**-23


def fold_in(seed, number):
    """Returns the seed `(2,)`, int32, of `tf.random.experimental.stateless_fold_in`."""
    return ops.stack([ops.cast(_random_bits(seed, (1,)), "int32")[0], ops.cast(number, "int32")])


def _random_bits(seed, shape):
    """Returns uint32 words."""
    if uses_tensorflow():
        # As `tf.random.stateless_uniform(alg="philox")`, which takes 30 operations. Its operation
        # that makes a key makes another one under XLA.
        words = _tensorflow_words((4,), [SEED_KEY.view("uint64")[0]], tf.cast(seed, tf.uint64))
        key, upper = tf.unstack(tf.bitcast(tf.reshape(words, (2, 2)), tf.uint64))
        return _tensorflow_words(shape, [key], [0, upper])
    return _words(seed, math.prod(shape)).reshape(shape)


def _tensorflow_words(shape, key, counter):
    """Returns the random words of TensorFlow's Philox: uint32."""
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape, key=key, counter=counter, alg=tf.random.Algorithm.PHILOX.value, dtype=tf.uint32
    )


def _words(seed, count):
    """Returns `count` words of 32 random bits of Philox on JAX: uint32."""
    return _compiled_words()(jax.numpy.asarray(seed, "int32"), count)


@functools.cache
def _compiled_words():
    """Returns a function that is traced once for each `count`, not in each view that calls it."""

    def words(seed, count):
        # Each number of the seed is extended to 64 bits with its sign.
        low, sign = seed.astype("uint32"), (seed >> 31).astype("uint32")
        first, second, third, fourth = _philox((low[0], sign[0], low[1], sign[1]), SEED_KEY)
        # Two words are the key, the other two the upper half of the counter of all blocks.
        index = jax.numpy.arange(-(-count // 4), dtype="uint32")
        zero = jax.numpy.zeros_like(index)
        counters = (index, zero, zero + third, zero + fourth)
        return jax.numpy.stack(_philox(counters, (first, second)), axis=1).reshape(-1)[:count]

    return jax.jit(words, static_argnums=1)


def _philox(counters, key):
    """Returns four words of random bits for each counter of four words: tuple of uint32 `(N,)`.

    Args:
        counters: Tuple of four uint32 arrays of one shape.
        key: Two uint32 scalars.
    """
    # Separate arrays: XLA compiles reversed or stacked ones for minutes.
    first, second, third, fourth = counters
    with np.errstate(over="ignore"):
        for index in range(10):
            keys = [
                word + np.uint32(index) * step for word, step in zip(key, INCREMENTS, strict=True)
            ]
            upper = [
                _upper_product(*pair) for pair in zip((first, third), MULTIPLIERS, strict=True)
            ]
            first, second, third, fourth = (
                upper[1] ^ second ^ keys[0],
                third * MULTIPLIERS[1],
                upper[0] ^ fourth ^ keys[1],
                first * MULTIPLIERS[0],
            )
    return first, second, third, fourth


def _upper_product(words, factor):
    """Returns the upper 32 of the 64 bits of a product."""
    return jax.lax.mulhi(words, jax.numpy.full(words.shape, factor))
