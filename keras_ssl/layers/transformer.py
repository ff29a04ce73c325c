"""Transformer blocks for images and text."""

from typing import Any

import keras
from keras import layers, ops

from keras_ssl._types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_ssl")
def gelu(x: Tensor) -> Tensor:
    """Gaussian error linear unit, equal on all backends and precisions.

    `keras.activations.gelu` on TensorFlow rounds a constant to float32 in float64.

    Args:
        x: Float tensor.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:

        keras_ssl.layers.gelu(keras.ops.ones((8, 4))).shape  # (8, 4)
    """
    return 0.5 * x * (1.0 + _erf(x * 0.5**0.5))


def _erf(x):
    """Error function.

    On JAX below float64, an approximation with an error of at most 1.5e-7 (Abramowitz & Stegun,
    7.1.26), because TensorFlow 2.21 cannot load JAX's own `erf` from a SavedModel.
    """
    x = ops.convert_to_tensor(x)
    if keras.backend.backend() != "jax" or x.dtype == "float64":
        return ops.erf(x)
    magnitude = ops.abs(ops.cast(x, "float32"))
    t, series = 1.0 / (1.0 + 0.3275911 * magnitude), 0.0
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + coefficient) * t
    return ops.cast(ops.sign(x) * (1.0 - series * ops.exp(-magnitude * magnitude)), x.dtype)


@keras.saving.register_keras_serializable("keras_ssl")
class TransformerBlock(layers.Layer):
    """A pre-norm transformer block: self-attention and two dense layers, with residuals.

    Args:
        heads: Int >= 1, attention heads. Must divide the width of the tokens.
        hidden: Int >= 1, width between the two dense layers.
        drop_path: Float in 0..1, probability that a residual branch is dropped for an image in
            training (stochastic depth). The branches that remain are scaled up to match.
        layer_scale: Float, initial value of the learned per-channel scale of each residual branch;
            or None for no scale.
        **kwargs: Arguments of `keras.Layer`, such as `name`.

    Source:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; pre-norm as in Dosovitskiy et al.
        2020, https://arxiv.org/abs/2010.11929; stochastic depth of Huang et al. 2016,
        https://arxiv.org/abs/1603.09382; layer scale of Touvron et al. 2021,
        https://arxiv.org/abs/2103.17239.

    Example:

        block = keras_ssl.layers.TransformerBlock(heads=3, hidden=768)
        block(np.random.rand(8, 65, 192)).shape  # (8, 65, 192)
    """

    def __init__(
        self,
        heads: int,
        hidden: int,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.heads = heads
        self.hidden = hidden
        self.drop_path = drop_path
        self.layer_scale = layer_scale

    def build(self, input_shape: Shape) -> None:
        width, policy = input_shape[-1], self.dtype_policy
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6, dtype=policy)
        self.attention = layers.MultiHeadAttention(
            self.heads, width // self.heads, kernel_initializer=initializer, dtype=policy
        )
        self.dense_norm = layers.LayerNormalization(epsilon=1e-6, dtype=policy)
        self.dense_in = layers.Dense(
            self.hidden, gelu, kernel_initializer=initializer, dtype=policy
        )
        self.dense_out = layers.Dense(width, kernel_initializer=initializer, dtype=policy)
        self.drop = layers.Dropout(self.drop_path, noise_shape=(None, 1, 1), dtype=policy)
        self.attention_norm.build(input_shape)
        self.attention.build(input_shape, input_shape)
        self.dense_norm.build(input_shape)
        self.dense_in.build(input_shape)
        self.dense_out.build((*input_shape[:-1], self.hidden))
        if self.layer_scale is not None:
            initializer = keras.initializers.Constant(self.layer_scale)
            self.attention_scale = self.add_weight((width,), initializer, name="attention_scale")
            self.dense_scale = self.add_weight((width,), initializer, name="dense_scale")
        self.built = True

    def call(self, tokens: Tensor, training: bool = False, causal: bool = False) -> Tensor:
        """Returns tokens `(B, T, D)`. If `causal`, a token attends to itself and earlier ones."""
        x = self.attention_norm(tokens)
        options = {"use_causal_mask": causal, "training": training}
        if self.compute_dtype == "float64":  # JAX's fused attention does not support float64
            branch, _ = self.attention(x, x, return_attention_scores=True, **options)
        else:
            branch = self.attention(x, x, **options)
        if self.layer_scale is not None:
            branch = branch * ops.cast(self.attention_scale, branch.dtype)
        tokens = tokens + self.drop(branch, training=training)
        branch = self.dense_out(self.dense_in(self.dense_norm(tokens)))
        if self.layer_scale is not None:
            branch = branch * ops.cast(self.dense_scale, branch.dtype)
        return tokens + self.drop(branch, training=training)

    def attention_scores(self, tokens: Tensor) -> Tensor:
        """Returns the attention of tokens (rows) to tokens, `(B, heads, T, T)`; rows sum to 1."""
        x = self.attention_norm(tokens)
        _, scores = self.attention(x, x, return_attention_scores=True)
        return scores

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self):
        names = ("heads", "hidden", "drop_path", "layer_scale")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
