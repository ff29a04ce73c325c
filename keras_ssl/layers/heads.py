"""Projection heads, prediction heads and prototypes."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_ssl._types import Head, Shape, Tensor
from keras_ssl.numerics import l2_normalize
from keras_ssl.validation import check_choice, check_int

FINAL_BATCH_NORMS = ("affine", "no_affine")


def projection_head(
    widths: Head,
    input_dim: int,
    *,
    batch_norm: bool = False,
    final_batch_norm: str | None = None,
    activation: str | Callable[[Tensor], Tensor] = "relu",
    name: str = "projector",
) -> keras.Layer:
    """Builds a projection head, or validates and builds the layer that is given.

    A tuple of widths gives dense layers with an activation between them. The last layer is linear.
    Dense layers that are followed by batch norm have no bias, because batch norm would cancel it.

    Args:
        widths: Tuple of ints > 0, the width of each dense layer; or any keras layer from
            `(batch, input_dim)` to `(batch, dim)`, which is used unchanged.
        input_dim: Int, width of the input features.
        batch_norm: Bool, whether batch norm follows each dense layer but the last.
        final_batch_norm: Batch norm after the last dense layer: `"affine"` with scale and offset,
            `"no_affine"` without, None for no batch norm.
        activation: Activation between the layers, a name or a function as in Keras.
        name: Name of the head, which error messages use as the name of the argument.

    Returns:
        A built keras layer.

    Raises:
        TypeError: If `widths` is neither a layer nor a sequence of ints.
        ValueError: If `widths` is empty or a width is below 1, or `final_batch_norm` is unknown.

    Example:

        features = np.random.rand(8, 512)
        projector = keras_ssl.layers.projection_head((512, 128), input_dim=512, batch_norm=True)
        projector(features).shape  # (8, 128)
    """
    if isinstance(widths, keras.Layer):
        if not widths.built:
            widths.build((None, input_dim))
        return widths
    if not isinstance(widths, (tuple, list)) or not all(
        isinstance(width, int) and not isinstance(width, bool) for width in widths
    ):
        raise TypeError(
            f"`{name}` must be a tuple of widths such as (128, 64), or a keras layer, "
            f"received {widths!r}."
        )
    if not widths or min(widths) < 1:
        raise ValueError(
            f"`{name}` needs at least one width, and all widths must be above 0, "
            f"received {widths!r}."
        )
    if final_batch_norm is not None:
        check_choice(FINAL_BATCH_NORMS, final_batch_norm=final_batch_norm)

    stack = [layers.Input((input_dim,))]
    for width in widths[:-1]:
        stack.append(layers.Dense(width, use_bias=not batch_norm))
        if batch_norm:
            stack.append(_batch_norm())
        stack.append(layers.Activation(activation))
    stack.append(layers.Dense(widths[-1], use_bias=final_batch_norm is None))
    if final_batch_norm is not None:
        is_affine = final_batch_norm == "affine"
        stack.append(_batch_norm(center=is_affine, scale=is_affine))
    return keras.Sequential(stack, name=name)


def prediction_head(widths: Head | None, input_dim: int, *, hidden: int) -> keras.Layer:
    """Builds a predictor, whose output has the width of its input, a projection.

    Args:
        widths: As in `projection_head`, with batch norm. The last width must be `input_dim`. None
            means `(hidden, input_dim)`.
        input_dim: Int, width of the projector's output.
        hidden: Int, the paper's hidden width, used when `widths` is None.

    Returns:
        A built keras layer.

    Raises:
        TypeError: If `widths` is neither None, a layer nor a sequence of ints.
        ValueError: If the head does not return `input_dim` numbers.

    Example:

        projections = np.random.rand(8, 128)
        predictor = keras_ssl.layers.prediction_head(None, 128, hidden=2048)
        predictor(projections).shape  # (8, 128)
    """
    widths = (hidden, input_dim) if widths is None else widths
    head = projection_head(widths, input_dim, batch_norm=True, name="predictor")
    if output_dim(head, input_dim) != input_dim:
        raise ValueError(
            f"`predictor` must return the projector's width, {input_dim}, because its output is "
            f"compared with projections. It returns {output_dim(head, input_dim)}."
        )
    return head


def prototype_head(count: int | keras.Layer, input_dim: int) -> keras.Layer:
    """Builds prototypes, or validates and builds the layer that is given.

    Args:
        count: Int > 1, K; or any keras layer from `(batch, input_dim)` to scores `(batch, K)`.
        input_dim: Int, width of the projector's output.

    Returns:
        A built keras layer, `Prototypes` if `count` is an int.

    Raises:
        TypeError: If `count` is neither a layer nor an int.
        ValueError: If `count` is below 2.

    Example:

        projections = np.random.rand(8, 128)
        prototypes = keras_ssl.layers.prototype_head(300, input_dim=128)
        prototypes(projections).shape  # (8, 300)
    """
    if not isinstance(count, keras.Layer):
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"`prototypes` must be an int or a keras layer, received {count!r}.")
        check_int(2, prototypes=count)
        count = Prototypes(count, name="prototypes")
    return projection_head(count, input_dim, name="prototypes")


def output_dim(head: keras.Layer, input_dim: int) -> int:
    """Returns the width of a head's output for inputs `(batch, input_dim)`.

    Args:
        head: Built keras layer.
        input_dim: Int, width of the input.

    Returns:
        Int.

    Example:

        projector = keras_ssl.layers.projection_head((512, 128), input_dim=64)
        assert keras_ssl.layers.output_dim(projector, 64) == 128
    """
    return head.compute_output_shape((None, input_dim))[-1]


@keras.saving.register_keras_serializable("keras_ssl")
class Prototypes(layers.Layer):
    """Cosine similarities of rows `(B, D)` with K learned directions: scores `(B, K)` in -1..1.

    This is a bias-free dense layer of L2-normalized rows whose kernel columns are normalized on
    use (weight normalization with a fixed length of 1). It computes in float32 even under a
    half precision policy.

    Args:
        count: Int > 1, K.
        **kwargs: Arguments of `keras.Layer`, such as `name`.

    Example:

        prototypes = keras_ssl.layers.Prototypes(300)
        prototypes(np.random.rand(8, 128)).shape  # (8, 300)
    """

    def __init__(self, count: int, **kwargs: Any):
        super().__init__(**{"dtype": keras.config.floatx(), **kwargs})
        self.count = count

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.count), "random_normal", name="kernel")
        self.normalize()

    def call(self, rows: Tensor) -> Tensor:
        """Returns the scores `(B, K)` of rows `(B, D)`."""
        return ops.matmul(l2_normalize(rows), self._unit_columns())

    def normalize(self) -> None:
        """Scales each prototype to length 1.

        Scores do not change. Without this, kernels grow and the optimizer's steps shrink relative
        to them.
        """
        self.kernel.assign(self._unit_columns())

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.count)

    def get_config(self):
        return {**super().get_config(), "count": self.count}

    def _unit_columns(self):
        return ops.transpose(l2_normalize(ops.transpose(self.kernel)))


def _batch_norm(**kwargs):
    # The defaults of PyTorch, which the papers' code uses.
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, **kwargs)
