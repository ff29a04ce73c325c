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

from keras_ssl.views.backend import ops, uses_tensorflow

jax = lazy_loader.load("jax")
tf = lazy_loader.load("tensorflow")

# Multipliers of a round and increments of the keys.
MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], "uint32")
INCREMENTS = np.array([[0x9E3779B9], [0xBB67AE85]], "uint32")
SEED_KEY = np.array([[0x3EC8F720], [0x02461E29]], "uint32")  # TensorFlow's, for keys from seeds


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
        return tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")
    return _words(seed, math.prod(shape)).reshape(shape)


def _words(seed, count):
    """Returns `count` words of 32 random bits of Philox on JAX: uint32."""
    return _compiled_words()(jax.numpy.asarray(seed, "int32"), count)


@functools.cache
def _compiled_words():
    """Returns a function that is traced once for each `count`, not in each view that calls it."""

    def words(seed, count):
        jnp = jax.numpy
        # Each number of the seed is extended to 64 bits with its sign.
        even, odd = seed.astype("uint32"), (seed >> 31).astype("uint32")
        even, odd = _philox(even[:, None], odd[:, None], SEED_KEY)
        # Two words are the key, the other two the upper half of the counter of all blocks.
        key = jnp.stack([even[0], odd[0]])
        index = jnp.arange(-(-count // 4), dtype="uint32")
        zero = jnp.zeros_like(index)
        even, odd = jnp.stack([index, zero + even[1]]), jnp.stack([zero, zero + odd[1]])
        even, odd = _philox(even, odd, key)
        return jnp.stack([even[0], odd[0], even[1], odd[1]], axis=1).reshape(-1)[:count]

    return jax.jit(words, static_argnums=1)


def _philox(even, odd, key):
    """Returns random bits of counters of four words, as their even and odd words: uint32 `(2, N)`.

    Args:
        even: uint32 `(2, N)`, words 0 and 2 of N counters.
        odd: uint32 `(2, N)`, words 1 and 3.
        key: uint32 `(2, 1)`.
    """
    for _ in range(10):
        upper = jax.lax.mulhi(even, jax.numpy.broadcast_to(MULTIPLIERS, even.shape))
        even, odd = upper[::-1] ^ odd ^ key, (even * MULTIPLIERS)[::-1]
        key = key + INCREMENTS
    return even, odd
