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
    bits = ops.bitwise_and(_bits(seed, math.prod(shape)), _word(0x7FFFFF))
    return ops.reshape(ops.cast(bits, "float32") * 2.0**-23, shape)


def fold_in(seed, number):
    """Returns the seed `(2,)`, int32, of `tf.random.experimental.stateless_fold_in`."""
    first = ops.cast(_bits(seed, 1), "int32")
    return ops.stack([first[0], ops.cast(number, "int32")])


def _bits(seed, count):
    """Returns `count` words of 32 random bits: uint32."""
    seed = ops.cast(ops.cast(seed, "int32"), "uint32")
    # The sign extends a number of the seed to 64 bits.
    sign = ops.cast(ops.right_shift(seed, _word(31)), "bool")
    high = ops.where(sign, _word(2**32 - 1), _word(0))
    key = _philox((seed[0], high[0], seed[1], high[1]), [_word(key) for key in _SEED_KEY])
    blocks = -(-count // 4)
    index = ops.cast(ops.arange(blocks, dtype="int32"), "uint32")
    zero = ops.zeros_like(index)
    counter = (index, zero, key[2] + zero, key[3] + zero)
    return ops.reshape(ops.stack(_philox(counter, key[:2]), axis=1), (-1,))[:count]


def _philox(counter, key):
    """Returns four uint32 tensors of random bits from four of a counter and two of a key."""
    x0, x1, x2, x3 = counter
    key0, key1 = key
    for _ in range(10):
        high0, low0 = _multiply(x0, _MULTIPLIERS[0])
        high1, low1 = _multiply(x2, _MULTIPLIERS[1])
        x0, x1 = ops.bitwise_xor(ops.bitwise_xor(high1, x1), key0), low1
        x2, x3 = ops.bitwise_xor(ops.bitwise_xor(high0, x3), key1), low0
        key0, key1 = key0 + _word(_INCREMENTS[0]), key1 + _word(_INCREMENTS[1])
    return x0, x1, x2, x3


def _multiply(words, multiplier):
    """Returns the high and the low word of products, from halves: no backend needs 64 bits."""
    sixteen, half = _word(16), _word(0xFFFF)
    low, high = ops.bitwise_and(words, half), ops.right_shift(words, sixteen)
    other_low, other_high = _word(multiplier & 0xFFFF), _word(multiplier >> 16)
    middle = ops.right_shift(low * other_low, sixteen)
    middle = middle + ops.bitwise_and(low * other_high, half)
    middle = middle + ops.bitwise_and(high * other_low, half)
    top = high * other_high + ops.right_shift(low * other_high, sixteen)
    top = top + ops.right_shift(high * other_low, sixteen) + ops.right_shift(middle, sixteen)
    return top, words * _word(multiplier)


def _word(number):
    return ops.convert_to_tensor(number, dtype="uint32")
