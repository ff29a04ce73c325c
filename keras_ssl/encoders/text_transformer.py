"""A transformer for captions."""

from typing import Any

import keras
from keras import layers, ops

from keras_ssl.encoders import tokenizers
from keras_ssl.encoders.blocks import check_heads
from keras_ssl.layers.transformer import TransformerBlock
from keras_ssl.validation import check_int


def text_transformer(
    tokenizer: keras.Layer | int,
    context_length: int = 32,
    width: int = 128,
    depth: int = 4,
    heads: int = 4,
    name: str = "text_transformer",
) -> keras.Model:
    """Builds a causal transformer from token ids to features, CLIP's text encoder.

        tokenizer = keras.layers.TextVectorization()
        tokenizer.adapt(captions)
        encoder = keras_ssl.encoders.text_transformer(tokenizer)
        model = keras_ssl.CLIP(image_encoder, encoder)

    Attention is causal, and the feature is the output at an end-of-text token that follows the last
    token. Padding has no effect.

    Args:
        tokenizer: Tokenizer of the captions, which runs in the data pipeline: an adapted
            `keras.layers.TextVectorization` or a KerasHub tokenizer. The encoder stores it as
            `encoder.tokenizer` and saves it. Or an int, the number of token ids, if captions are
            token ids already; 0 is padding.
        context_length: Int >= 2, T, the largest number of tokens. Longer captions are truncated.
        width: Int >= 1, D, width of each token.
        depth: Int >= 1, number of blocks.
        heads: Int >= 1, attention heads. Must divide `width`.
        name: String.

    Returns:
        A `keras.Model` from int token ids `(B, T)`, padded with 0 at the end, to features `(B, D)`,
        in `floatx` under any precision policy. It accepts fewer than T columns.

    Raises:
        TypeError: If `tokenizer` is neither a tokenizer nor an int.
        ValueError: If a number is out of range, or the tokenizer's vocabulary is empty.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.4.
    """
    sizes = (context_length, width, depth, heads)
    if isinstance(tokenizer, int):
        check_int(1, tokenizer=tokenizer)
        return TextTransformer(tokenizer, *sizes, name=name)
    vocab_size = tokenizers.vocabulary_size(tokenizer)
    return TextTransformer(vocab_size, *sizes, tokenizer=tokenizer, name=name)


@keras.saving.register_keras_serializable("keras_ssl")
class TextTransformer(keras.Model):
    """The network that `text_transformer` builds. Other arguments are those of `text_transformer`.

    Args:
        vocab_size: Int >= 1, number of token ids.
        tokenizer: Tokenizer or None.
    """

    def __init__(
        self,
        vocab_size: int,
        context_length: int,
        width: int,
        depth: int,
        heads: int,
        tokenizer: keras.Layer | None = None,
        **kwargs: Any,
    ):
        check_int(1, vocab_size=vocab_size, width=width, depth=depth, heads=heads)
        check_int(2, context_length=context_length)
        check_heads(width, heads)
        super().__init__(**kwargs)
        tokenizers.attach_tokenizer(self, tokenizer)
        self.vocab_size = vocab_size
        self.context_length = context_length
        self.width = width
        self.depth = depth
        self.heads = heads
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        # One more row than token ids: the last is the end-of-text token.
        self.embed = layers.Embedding(vocab_size + 1, width, initializer, name="token_embedding")
        self.blocks = [
            TransformerBlock(heads, 4 * width, name=f"block{index}") for index in range(depth)
        ]
        self.norm = layers.LayerNormalization(epsilon=1e-6, name="norm")
        shape = (context_length + 1, width)
        self.positions = self.add_weight(
            shape, keras.initializers.TruncatedNormal(stddev=0.01), name="positions"
        )
        self.build((None, context_length))

    def build(self, input_shape):
        if self.built:
            return
        self.embed.build((None, None))
        for block in self.blocks:
            block.build((None, None, self.width))
        self.norm.build((None, self.width))
        self.built = True

    def call(self, token_ids, training=False):
        """Returns the features `(B, D)` of token ids `(B, T)`, in `floatx`."""
        token_ids = ops.pad(ops.cast(token_ids, "int32"), ((0, 0), (0, 1)))
        length = ops.shape(token_ids)[1]
        num_tokens = ops.sum(ops.cast(token_ids != 0, "int32"), axis=1)
        is_end = ops.arange(length, dtype="int32")[None, :] == num_tokens[:, None]
        x = self.embed(ops.where(is_end, self.vocab_size, token_ids))
        x = x + ops.cast(self.positions[:length], x.dtype)
        for block in self.blocks:
            x = block(x, training=training, causal=True)
        features = ops.sum(x * ops.cast(is_end, x.dtype)[:, :, None], axis=1)
        return ops.cast(self.norm(features), keras.config.floatx())

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.width)

    def get_config(self):
        names = ("vocab_size", "context_length", "width", "depth", "heads")
        config = {"name": self.name, "trainable": self.trainable}
        config["dtype"] = keras.saving.serialize_keras_object(self.dtype_policy)
        config["tokenizer"] = keras.saving.serialize_keras_object(self.tokenizer)
        return {**config, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        trainable = config.pop("trainable", True)
        config["tokenizer"] = keras.saving.deserialize_keras_object(config["tokenizer"])
        model = cls(**config)
        if not trainable:
            model.trainable = False
        return model
