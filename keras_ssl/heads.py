"""Heads: what stands between an encoder's features and a loss."""

import keras
from keras import layers


def projection(widths, input_dim, *, batch_norm=False, name="projector"):
    """Builds a projection head, or checks the one given.

    A tuple of widths gives dense layers with ReLU between them; the last is linear. Dense layers
    followed by batch norm carry no bias, which the batch norm would cancel.

    Args:
        widths: Tuple of ints > 0, the width of each dense layer; or any keras layer from
            `(batch, input_dim)` to `(batch, dim)`, used as it is.
        input_dim: Int, the width of the features that come in.
        batch_norm: Bool, batch norm after each dense layer but the last.
        name: Name of the head, and of the argument that errors speak of.

    Returns:
        A built keras layer.

    Raises:
        TypeError: If `widths` is neither a layer nor a sequence of ints.
        ValueError: If it is empty, or a width is below 1.
    """
    if isinstance(widths, keras.Layer):
        if not widths.built:
            widths.build((None, input_dim))
        return widths
    if isinstance(widths, (str, bytes)) or not all(
        isinstance(width, int) and not isinstance(width, bool)
        for width in (widths if isinstance(widths, (tuple, list)) else [None])
    ):
        raise TypeError(
            f"`{name}` must be a tuple of widths such as (128, 64), or a keras layer; "
            f"received {widths!r}."
        )
    if not widths or min(widths) < 1:
        raise ValueError(f"`{name}` needs at least one width, all above 0; received {widths!r}.")

    stack = [layers.Input((input_dim,))]
    for width in widths[:-1]:
        stack.append(layers.Dense(width, use_bias=not batch_norm))
        if batch_norm:
            stack.append(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        stack.append(layers.Activation("relu"))
    stack.append(layers.Dense(widths[-1]))
    return keras.Sequential(stack, name=name)
