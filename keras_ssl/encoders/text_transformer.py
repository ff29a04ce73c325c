"""A transformer that reads captions."""

import keras
from keras import layers, ops

from keras_ssl.encoders import tokenizers
from keras_ssl.encoders.blocks import check_heads
from keras_ssl.layers.transformer import TransformerBlock
from keras_ssl.validation import check_int


def text_transformer(
    vocabulary, context_length=32, width=128, depth=4, heads=4, name="text_transformer"
):
    """Builds a transformer from captions, cut into words, to features.

        words = keras.layers.TextVectorization()
        words.adapt(captions)
        encoder = keras_ssl.encoders.text_transformer(words)
        model = keras_ssl.CLIP(image_encoder, encoder)

    Each word sees itself and those before it alone; the feature is what an end mark, put after the
    last word, has become. What a caption is filled up with has no influence.

    Args:
        vocabulary: What cuts captions into numbered words, in the data pipeline: an adapted
            `keras.layers.TextVectorization`, or a KerasHub tokenizer. It is kept as `tokenizer`,
            and saved with the encoder. Or an int: how many words there are, where captions come as
            numbers already; 0 fills up.
        context_length: Int >= 2, T, words of the longest caption. Longer ones are cut.
        width: Int >= 1, D, of each word.
        depth: Int >= 1, blocks.
        heads: Int >= 1, attention heads, a divisor of `width`.
        name: String.

    Returns:
        A `keras.Model` from int words `(B, T)`, filled up with 0 at the end, to features `(B, D)`,
        in `floatx` whatever the precision policy. Fewer columns than T do.

    Raises:
        TypeError: If `vocabulary` is neither a tokenizer nor an int.
        ValueError: If a number is out of range, or the tokenizer knows no word.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.4.
    """
    words, tokenizer = vocabulary, None
    if not isinstance(vocabulary, int) or isinstance(vocabulary, bool):
        words, tokenizer = tokenizers.vocabulary_size(vocabulary), vocabulary
    sizes = (words, context_length, width, depth, heads)
    return TextTransformer(*sizes, tokenizer=tokenizer, name=name)


@keras.saving.register_keras_serializable("keras_ssl")
class TextTransformer(keras.Model):
    """See `text_transformer`, which makes one."""

    def __init__(self, words, context_length, width, depth, heads, tokenizer=None, **kwargs):
        check_int(1, vocabulary=words, width=width, depth=depth, heads=heads)
        check_int(1, context_length=context_length)
        if context_length < 2:
            raise ValueError(f"`context_length` must be at least 2, received {context_length}.")
        check_heads(width, heads)
        super().__init__(**kwargs)
        tokenizers.attach_tokenizer(self, tokenizer)
        self.words = words
        self.context_length = context_length
        self.width = width
        self.depth = depth
        self.heads = heads
        drawn = keras.initializers.TruncatedNormal(stddev=0.02)
        self.embed = layers.Embedding(words + 1, width, drawn, name="words")  # the last: the end
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
        """Makes all weights."""
        if self.built:
            return
        self.embed.build((None, None))
        for block in self.blocks:
            block.build((None, None, self.width))
        self.norm.build((None, self.width))
        self.built = True

    def call(self, tokens, training=False):
        """Returns features `(B, D)` of words `(B, T)`, in `floatx`."""
        tokens = ops.pad(ops.cast(tokens, "int32"), ((0, 0), (0, 1)))
        places = ops.shape(tokens)[1]
        place = ops.arange(places, dtype="int32")
        length = ops.sum(ops.cast(tokens != 0, "int32"), axis=1)
        is_end = place[None, :] == length[:, None]
        x = self.embed(ops.where(is_end, self.words, tokens))
        x = x + ops.cast(self.positions[:places], x.dtype)
        for block in self.blocks:
            x = block(x, training=training, causal=True)
        ends = ops.sum(x * ops.cast(is_end, x.dtype)[:, :, None], axis=1)
        return ops.cast(self.norm(ends), keras.config.floatx())

    def compute_output_shape(self, input_shape):
        """`(B, D)`."""
        return (input_shape[0], self.width)

    def get_config(self):
        """Returns the constructor's arguments."""
        own = ("words", "context_length", "width", "depth", "heads")
        config = {"name": self.name, "trainable": self.trainable}
        config["dtype"] = keras.saving.serialize_keras_object(self.dtype_policy)
        config["tokenizer"] = keras.saving.serialize_keras_object(self.tokenizer)
        return {**config, **{name: getattr(self, name) for name in own}}

    @classmethod
    def from_config(cls, config):
        """Makes the encoder of a config."""
        config = dict(config)
        trainable = config.pop("trainable", True)
        config["tokenizer"] = keras.saving.deserialize_keras_object(config["tokenizer"])
        model = cls(**config)
        if not trainable:
            model.trainable = False
        return model
