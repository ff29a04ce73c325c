"""Random numbers of views without TensorFlow: those of `tf.random.stateless_uniform`.

Philox-4x32 with 10 rounds: a counter-based generator, whose numbers are a function of the seed and
the position alone.

Source:
    Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405, section 3.3. How TensorFlow makes
    the key and the counter from a seed: the kernels of its stateless random operations.
"""

import math

from keras import ops

# Multipliers of a round and increments of the keys.
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_INCREMENTS = (0x9E3779B9, 0xBB67AE85)
_SEED_KEY = (0x3EC8F720, 0x02461E29)  # TensorFlow's, which mixes the two numbers of a seed


def uniform(seed, shape):
    """Returns numbers in 0..1 (1 excluded), those of `tf.random.stateless_uniform`.

    Args:
        seed: Integer tensor `(2,)`.
        shape: Tuple of ints.

    Returns:
        float32 tensor of that shape, with 23 random bits each.
    """
    bits = ops.bitwise_and(_bits(seed, math.prod(shape)), _words(0x7FFFFF))
    return ops.reshape(ops.cast(bits, "float32") * 2.0**-23, shape)


def fold_in(seed, number):
    """Returns the seed `(2,)`, int32, of `tf.random.experimental.stateless_fold_in`."""
    first = ops.cast(_bits(seed, 1), "int32")
    return ops.stack([first[0], ops.cast(number, "int32")])


def _bits(seed, count):
    """Returns `count` words of 32 random bits: uint32."""
    seed = ops.cast(ops.cast(seed, "int32"), "uint32")
    # Each number of the seed is extended to 64 bits with its sign.
    is_negative = ops.cast(ops.right_shift(seed, _words(31)), "bool")
    sign = ops.where(is_negative, _words(2**32 - 1), _words(0))
    even, odd = _philox(seed[:, None], sign[:, None], _words(_SEED_KEY)[:, None])
    # Two words are the key, the other two the upper half of the counter of all blocks.
    key = ops.stack([even[0], odd[0]])
    index = ops.cast(ops.arange(-(-count // 4), dtype="int32"), "uint32")
    zero = ops.zeros_like(index)
    even, odd = ops.stack([index, zero + even[1]]), ops.stack([zero, zero + odd[1]])
    even, odd = _philox(even, odd, key)
    blocks = ops.stack([even[0], odd[0], even[1], odd[1]], axis=1)
    return ops.reshape(blocks, (-1,))[:count]


def _philox(even, odd, key):
    """Returns random bits of counters of four words, as their even and odd words: uint32 `(2, N)`.

    Args:
        even: uint32 `(2, N)`, words 0 and 2 of N counters.
        odd: uint32 `(2, N)`, words 1 and 3.
        key: uint32 `(2, 1)`.
    """
    multipliers, increments = _words(_MULTIPLIERS)[:, None], _words(_INCREMENTS)[:, None]
    sixteen, half = _words(16), _words(0xFFFF)
    halves = ops.bitwise_and(multipliers, half), ops.right_shift(multipliers, sixteen)
    for _ in range(10):
        # The upper word of the product, from halves: JAX has no 64 bits by default.
        low, high = ops.bitwise_and(even, half), ops.right_shift(even, sixteen)
        middle = high * halves[0] + ops.right_shift(low * halves[0], sixteen)
        rest = low * halves[1] + ops.bitwise_and(middle, half)
        upper = high * halves[1] + ops.right_shift(middle, sixteen)
        upper = upper + ops.right_shift(rest, sixteen)
        lower = even * multipliers
        even = ops.bitwise_xor(ops.bitwise_xor(ops.flip(upper, 0), odd), key)
        odd = ops.flip(lower, 0)
        key = key + increments
    return even, odd


def _words(numbers):
    return ops.convert_to_tensor(numbers, dtype="uint32")
