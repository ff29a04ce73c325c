"""A loss by rows, a block of them at a time: memory for a part of the similarities alone."""

import itertools

import keras
from keras import ops


def by_rows(function, blocks, rows, *others):
    """Calls a function for one block of rows after the other; concatenates what it returns.

    Args:
        function: Of blocks of `rows` and of `others`, to a tensor with a number for each row, or a
            tuple of which the first is one. Gradients reach its arguments alone.
        blocks: Int >= 1; with one, nothing is computed again.
        rows: Tuple of tensors whose rows are divided.
        *others: Tensors that every call gets whole.

    Returns:
        What `function` returned of all rows: one tensor; or a tensor, then lists of the other
        parts, one entry a block.
    """
    static = rows[0].shape[0]
    blocks = blocks if static is None else min(blocks, static)
    if blocks == 1:
        parts = [function(*rows, *others)]
    else:
        count = ops.shape(rows[0])[0]
        again = keras.remat(function)  # for the gradient: nothing of a block is kept
        cuts = [index * count // blocks for index in range(blocks + 1)]
        parts = [
            again(*(each[start:end] for each in rows), *others)
            for start, end in itertools.pairwise(cuts)
        ]
    if not isinstance(parts[0], (tuple, list)):
        return ops.concatenate(parts)
    first, *rest = zip(*parts, strict=True)
    return (ops.concatenate(first), *map(list, rest))
