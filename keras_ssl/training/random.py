"""Random numbers for methods: the same on every backend, replica and device.

Threefry-2x32 with 20 rounds: a counter-based generator without state, so a resumed run draws what
the uninterrupted run would have drawn.

Source:
    Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405, section 4.
"""

import math
import zlib

import keras
from keras import ops

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def uniform(seed, step, name, shape):
    """Returns numbers in 0..1 (1 excluded), a function of the arguments alone.

    Args:
        seed: Int.
        step: Int scalar tensor.
        name: String, so that two draws of one step differ.
        shape: Tuple of ints.

    Returns:
        Tensor of that shape in `keras.config.floatx()`, with 24 random bits each.
    """
    return _uniform(seed, step, name, math.prod(shape), shape)


def normal(seed, step, name, shape):
    """As `uniform`, from the standard normal distribution (Box-Muller)."""
    count = math.prod(shape)
    draws = _uniform(seed, step, name, 2 * count, (2, count))
    radius = ops.sqrt(-2.0 * ops.log(1.0 - draws[0]))
    return ops.reshape(radius * ops.cos(2.0 * math.pi * draws[1]), shape)


def _uniform(seed, step, name, count, shape):
    counter = ops.cast(ops.arange(count, dtype="int32"), "uint32")
    step = ops.broadcast_to(ops.cast(step, "uint32"), (count,))
    bits, _ = threefry(seed % 2**32, zlib.crc32(name.encode()), counter, step)
    fraction = ops.cast(ops.right_shift(bits, _word(8)), keras.config.floatx())
    return ops.reshape(fraction * 2.0**-24, shape)


def threefry(key0, key1, x0, x1):
    """Returns two uint32 tensors of random bits from keys (ints) and counters (uint32 tensors)."""
    keys = (key0, key1, key0 ^ key1 ^ _PARITY)
    x0, x1 = x0 + _word(keys[0]), x1 + _word(keys[1])
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x0 = x0 + x1
            left, right = _word(rotation), _word(32 - rotation)
            x1 = ops.bitwise_or(ops.left_shift(x1, left), ops.right_shift(x1, right))
            x1 = ops.bitwise_xor(x1, x0)
        x0 = x0 + _word(keys[(block + 1) % 3])
        x1 = x1 + _word(keys[(block + 2) % 3] + block + 1)
    return x0, x1


def _word(number):
    return ops.convert_to_tensor(number % 2**32, dtype="uint32")
