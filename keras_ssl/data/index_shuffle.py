"""Random permutations that are computed index by index, without an array of all indices."""

import numpy as np

NUM_ROUNDS = 4
MIN_BLOCK_SIZE = 16  # bits
FIRST_KEY = 498247692  # which TensorFlow puts before the seed
SEQUENCE = 0x7369F885192C0EF5  # constant of the key schedule; only its first bit is used


def index_shuffle(index: np.ndarray, seed: np.ndarray, max_index: int) -> np.ndarray:
    """Returns the positions of indices in a random permutation of `0..max_index`.

    The result is that of `tf.random.experimental.index_shuffle`, and needs no TensorFlow: a small
    block cipher is applied until the result is at most `max_index` (cycle walking).

    Args:
        index: Int array of numbers in `0..max_index`.
        seed: Int array `(2,)`.
        max_index: Int >= 0.

    Returns:
        int64 array of the shape of `index`.

    Source:
        Cipher: Beaulieu et al. 2013, "The SIMON and SPECK families of lightweight block ciphers",
        https://eprint.iacr.org/2013/404, section 3, with four rounds. Cycle walking: Black and
        Rogaway 2002, "Ciphers with arbitrary finite domains", section 3.
    """
    if max_index == 0:
        return np.zeros_like(index, "int64")
    block_size = int(np.ceil(np.log2(max_index)))
    word_size = max(block_size + block_size % 2, MIN_BLOCK_SIZE) // 2
    keys = _round_keys(np.array([FIRST_KEY, *seed], "int64").astype("uint32"), word_size)

    def encrypt(blocks):
        return _encrypt(blocks, keys, word_size)

    if max_index < 2**MIN_BLOCK_SIZE:  # few indices walk for thousands of steps: look them up
        encrypt = encrypt(np.arange(2**MIN_BLOCK_SIZE, dtype="uint64")).__getitem__
    result = encrypt(np.asarray(index).astype("uint64"))
    while np.any(is_outside := result > max_index):
        result[is_outside] = encrypt(result[is_outside])
    return result.astype("int64")


def _round_keys(keys, word_size):
    mask = (1 << word_size) - 1
    first, second, third = (int(key) & mask for key in keys)
    last = 0xFFFFFFFC ^ (SEQUENCE & 1) ^ first
    last ^= _rotate_left(third, word_size - 3, word_size)
    last ^= _rotate_left(third, word_size - 4, word_size)
    return first, second, third, last & mask


def _encrypt(blocks, keys, word_size):
    mask = np.uint64((1 << word_size) - 1)
    left, right = blocks >> np.uint64(word_size) & mask, blocks & mask
    for index in range(0, NUM_ROUNDS, 2):
        left = left ^ _mix(right, word_size) ^ np.uint64(keys[index])
        right = right ^ _mix(left, word_size) ^ np.uint64(keys[index + 1])
    return left << np.uint64(word_size) | right


def _mix(words, word_size):
    once, twice, eight = (_rotate_left(words, count, word_size) for count in (1, 2, 8))
    return once & eight ^ twice


def _rotate_left(words, count, word_size):
    """Rotates words, an int or a uint64 array, by `count` bits."""
    kind = type(words) if isinstance(words, int) else np.uint64
    mask = kind((1 << word_size) - 1)
    return (words << kind(count) | words >> kind(word_size - count)) & mask
