"""The block of a transformer, for images and for text."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("keras_ssl")
def gelu(x):
    """Gaussian error linear unit; TensorFlow's own rounds a constant to float32 in float64."""
    return 0.5 * x * (1.0 + _erf(x * 0.5**0.5))


def _erf(x):
    """The error function; on JAX, below float64, right to 1.5e-7: Abramowitz, Stegun 7.1.26.

    TensorFlow 2.21 cannot read JAX's own from a SavedModel.
    """
    x = ops.convert_to_tensor(x)
    if keras.backend.backend() != "jax" or x.dtype == "float64":
        return ops.erf(x)
    size = ops.abs(ops.cast(x, "float32"))
    t, series = 1.0 / (1.0 + 0.3275911 * size), 0.0
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + factor) * t
    return ops.cast(ops.sign(x) * (1.0 - series * ops.exp(-size * size)), x.dtype)


@keras.saving.register_keras_serializable("keras_ssl")
class TransformerBlock(layers.Layer):
    """Self-attention, then two dense layers, each normalized before and added to what came in.

    Args:
        heads: Int >= 1, attention heads; the width must be a multiple of it.
        hidden: Int >= 1, width between the two dense layers.
        drop_path: Float in 0..1, how often a branch is left out for an image, in training; the
            others are scaled up for it.
        layer_scale: Float, what each branch is multiplied with at the start, channel by channel; or
            None for no such weights.
        **kwargs: `name` and the like, as in `keras.Layer`.

    Source:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; normalized before as in Dosovitskiy
        et al. 2020, https://arxiv.org/abs/2010.11929; branches left out as in Huang et al. 2016,
        https://arxiv.org/abs/1603.09382; scaled as in Touvron et al. 2021,
        https://arxiv.org/abs/2103.17239.
    """

    def __init__(self, heads, hidden, drop_path=0.0, layer_scale=None, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.hidden = hidden
        self.drop_path = drop_path
        self.layer_scale = layer_scale

    def build(self, input_shape):
        """Makes the layers for tokens `(B, T, D)`."""
        width, policy = input_shape[-1], self.dtype_policy
        drawn = keras.initializers.TruncatedNormal(stddev=0.02)
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6, dtype=policy)
        self.attention = layers.MultiHeadAttention(
            self.heads, width // self.heads, kernel_initializer=drawn, dtype=policy
        )
        self.dense_norm = layers.LayerNormalization(epsilon=1e-6, dtype=policy)
        self.dense_in = layers.Dense(self.hidden, gelu, kernel_initializer=drawn, dtype=policy)
        self.dense_out = layers.Dense(width, kernel_initializer=drawn, dtype=policy)
        self.drop = layers.Dropout(self.drop_path, noise_shape=(None, 1, 1), dtype=policy)
        self.attention_norm.build(input_shape)
        self.attention.build(input_shape, input_shape)
        self.dense_norm.build(input_shape)
        self.dense_in.build(input_shape)
        self.dense_out.build((*input_shape[:-1], self.hidden))
        if self.layer_scale is not None:
            start = keras.initializers.Constant(self.layer_scale)
            self.attention_scale = self.add_weight((width,), start, name="attention_scale")
            self.dense_scale = self.add_weight((width,), start, name="dense_scale")
        self.built = True

    def call(self, tokens, training=False, causal=False):
        """Returns tokens `(B, T, D)`; if `causal`, each sees itself and those before it alone."""
        x = self.attention_norm(tokens)
        options = {"use_causal_mask": causal, "training": training}
        if self.compute_dtype == "float64":  # in which fused attention, on JAX, does not compute
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

    def attention_scores(self, tokens):
        """How much each token (rows) attends to each other: `(B, heads, T, T)`, rows sum to 1."""
        x = self.attention_norm(tokens)
        _, scores = self.attention(x, x, return_attention_scores=True)
        return scores

    def compute_output_shape(self, input_shape):
        """As the input's."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        own = ("heads", "hidden", "drop_path", "layer_scale")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
