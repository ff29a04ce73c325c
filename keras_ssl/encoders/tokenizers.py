"""Tokenizers attached to a model: Keras's `TextVectorization` or a KerasHub tokenizer."""

import keras


def attach_tokenizer(model, tokenizer):
    """Stores a tokenizer as `model.tokenizer`, so that the model can save it in its config.

    The tokenizer is not tracked as a layer: it runs in the data pipeline only and has no weights,
    and Keras would consider the model not built.

    Args:
        model: A `keras.Model`.
        tokenizer: `keras.layers.TextVectorization`, KerasHub tokenizer or None.
    """
    if isinstance(tokenizer, keras.layers.TextVectorization):
        # The config lacks a vocabulary that was learned by `adapt`, but has one that is passed.
        vocabulary = [str(token) for token in tokenizer.get_vocabulary()]
        config = {**tokenizer.get_config(), "vocabulary": vocabulary}
        tokenizer = type(tokenizer).from_config(config)
    object.__setattr__(model, "tokenizer", tokenizer)


def vocabulary_size(tokenizer, name="tokenizer"):
    """Returns the number of token ids of a tokenizer, including 0 for padding.

    Args:
        tokenizer: `keras.layers.TextVectorization` or KerasHub tokenizer.
        name: Name of the argument in error messages.

    Raises:
        TypeError: If it is not a tokenizer.
        ValueError: If it does not return token ids, or its vocabulary is empty.
    """
    is_keras = isinstance(tokenizer, keras.layers.TextVectorization)
    if not is_keras and not (isinstance(tokenizer, keras.Layer) and _has_vocabulary(tokenizer)):
        raise TypeError(
            f"`{name}` must be an adapted keras.layers.TextVectorization, a KerasHub tokenizer or "
            f"an int, the number of token ids; received {tokenizer!r}."
        )
    mode = tokenizer.get_config().get("output_mode", "int")
    if is_keras and mode != "int":
        raise ValueError(
            f"`{name}` must return token ids, output_mode='int', received output_mode={mode!r}."
        )
    size = tokenizer.vocabulary_size()
    if size <= 2 * is_keras:  # TextVectorization counts padding and the out-of-vocabulary token
        raise ValueError(f"`{name}` has an empty vocabulary; call `adapt(captions)` first.")
    return size


def _has_vocabulary(tokenizer):
    return callable(getattr(tokenizer, "vocabulary_size", None))
