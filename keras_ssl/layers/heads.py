"""Heads of dense layers, and prototypes."""

import keras
from keras import layers, ops

from keras_ssl.numerics import l2_normalize


def projection_head(
    widths,
    input_dim,
    *,
    batch_norm=False,
    final_batch_norm=None,
    activation="relu",
    name="projector",
):
    """Builds a projection head, or checks the one given.

    A tuple of widths gives dense layers with an activation between them; the last is linear. Dense
    layers followed by batch norm carry no bias, which the batch norm would cancel.

    Args:
        widths: Tuple of ints > 0, the width of each dense layer; or any keras layer from
            `(batch, input_dim)` to `(batch, dim)`, used as it is.
        input_dim: Int, the width of the features that come in.
        batch_norm: Bool, batch norm after each dense layer but the last.
        final_batch_norm: Batch norm after the last dense layer: None for none, `"scaled"` for one with
            scale and offset, `"plain"` for one without.
        activation: Activation between layers, a name or a function as Keras takes it.
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
            stack.append(_batch_norm())
        stack.append(layers.Activation(activation))
    stack.append(layers.Dense(widths[-1], use_bias=final_batch_norm is None))
    if final_batch_norm is not None:
        affine = final_batch_norm == "scaled"
        stack.append(_batch_norm(center=affine, scale=affine))
    return keras.Sequential(stack, name=name)


def prediction_head(widths, width, *, hidden):
    """Builds a predictor, which returns what it takes in: a projection `(batch, width)`.

    Args:
        widths: As in `projection`, with batch norm; None for `(hidden, width)`.
        width: Int, the projector's width.
        hidden: Int, the paper's hidden width for that.

    Returns:
        A built keras layer.

    Raises:
        TypeError: If `widths` is neither None, a layer nor a sequence of ints.
        ValueError: If it does not end in `width`.
    """
    widths = (hidden, width) if widths is None else widths
    head = projection_head(widths, width, batch_norm=True, name="predictor")
    if output_dim(head, width) != width:
        raise ValueError(
            f"`predictor` must return the projector's width, {width}, to be compared with it; it "
            f"returns {output_dim(head, width)}."
        )
    return head


def prototype_head(count, input_dim):
    """Builds prototypes, or checks the layer given.

    Args:
        count: Int > 1, or any keras layer from `(batch, input_dim)` to scores `(batch, K)`.
        input_dim: Int, the projector's width.

    Returns:
        A built keras layer.

    Raises:
        TypeError: If `count` is neither a layer nor an int.
        ValueError: If it is below 2.
    """
    if not isinstance(count, keras.Layer):
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"`prototypes` must be an int or a keras layer, received {count!r}.")
        if count < 2:
            raise ValueError(f"`prototypes` must be at least 2, received {count}.")
        count = Prototypes(count, name="prototypes")
    return projection_head(count, input_dim, name="prototypes")


def output_dim(head, input_dim):
    """The width of what a head returns for `(batch, input_dim)`."""
    return head.compute_output_shape((None, input_dim))[-1]


@keras.saving.register_keras_serializable("keras_ssl")
class Prototypes(layers.Layer):
    """Cosine similarities of rows `(B, D)` to K learned directions: scores `(B, K)` in -1..1.

    A dense layer without bias, of rows of length 1, whose weights of each output are scaled to
    length 1 on use (weight normalization with the length fixed). It computes in float32 under a
    half precision policy too.

    Args:
        count: Int, K.
        **kwargs: `name` and the like, as in `keras.Layer`.
    """

    def __init__(self, count, **kwargs):
        super().__init__(**{"dtype": keras.config.floatx(), **kwargs})
        self.count = count

    def build(self, input_shape):
        """Makes the kernel `(D, K)`, of columns of length 1."""
        self.kernel = self.add_weight((input_shape[-1], self.count), "random_normal", name="kernel")
        self.normalize()

    def call(self, rows):
        """Scores `(B, K)` of rows `(B, D)`."""
        return ops.matmul(l2_normalize(rows), self._unit_columns())

    def normalize(self):
        """Sets each prototype's length to 1: values stay, and the next step counts in full."""
        self.kernel.assign(self._unit_columns())

    def compute_output_shape(self, input_shape):
        """`(B, K)`."""
        return (*input_shape[:-1], self.count)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "count": self.count}

    def _unit_columns(self):
        return ops.transpose(l2_normalize(ops.transpose(self.kernel)))


def _batch_norm(**kwargs):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, **kwargs)
