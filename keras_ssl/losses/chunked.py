"""A loss by rows, a chunk of them at a time: memory for a part of the similarities alone."""

import itertools

import keras
from keras import ops


def map_row_chunks(function, num_chunks, rows, *others):
    """Calls a function for one chunk of rows after the other.

    Args:
        function: Of num_chunks of `rows` and of `others`, to a tensor or a tuple of them. Gradients
            reach its arguments alone.
        num_chunks: Int >= 1; with one, nothing is computed again.
        rows: Tuple of tensors whose rows are divided.
        *others: Tensors that every call gets whole.

    Returns:
        List of what it returned, one entry a chunk.
    """
    count = rows[0].shape[0]
    if num_chunks == 1 or count == 1:
        return [function(*rows, *others)]
    again = keras.remat(function)  # for the gradient: nothing of a chunk is kept
    if count is None:
        count = ops.shape(rows[0])[0]
        cuts = [index * count // num_chunks for index in range(num_chunks + 1)]
        return [
            again(*(x[start:end] for x in rows), *others) for start, end in itertools.pairwise(cuts)
        ]
    size = -(-count // num_chunks)
    whole = count // size
    cut = [ops.reshape(x[: whole * size], (whole, size, *x.shape[1:])) for x in rows]
    # A loop: one after the other, where TensorFlow computes several at once otherwise.
    found = ops.map(lambda chunk: again(*chunk, *others), cut)
    parts = [_at(index, found) for index in range(whole)]
    if count > whole * size:
        parts.append(again(*(x[whole * size :] for x in rows), *others))
    return parts


def _at(index, stacked):
    return keras.tree.map_structure(lambda x: x[index], stacked)
