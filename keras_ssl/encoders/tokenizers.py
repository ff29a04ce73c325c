"""What cuts text into numbered words: Keras's layer or KerasHub's, held by a model."""

import keras


def attach_tokenizer(model, tokenizer):
    """Keeps a tokenizer as `model.tokenizer`, which config and file of the model then carry.

    Not as a layer of it: a tokenizer works in the data pipeline alone, has no weights, and Keras
    would take the model for one that is not built.

    Args:
        model: A `keras.Model`.
        tokenizer: `keras.layers.TextVectorization`, KerasHub tokenizer or None.
    """
    if isinstance(tokenizer, keras.layers.TextVectorization):
        # What it has learned from `adapt` is not in its config, but given words are.
        words = [str(word) for word in tokenizer.get_vocabulary()]
        tokenizer = type(tokenizer).from_config({**tokenizer.get_config(), "vocabulary": words})
    object.__setattr__(model, "tokenizer", tokenizer)


def vocabulary_size(tokenizer, name="vocabulary"):
    """How many numbers a tokenizer gives, 0 for filling up included.

    Args:
        tokenizer: As in `hold`.
        name: What errors call it.

    Raises:
        TypeError: If it is none.
        ValueError: If it gives no word numbers, or knows no word.
    """
    is_keras = isinstance(tokenizer, keras.layers.TextVectorization)
    if not is_keras and not (isinstance(tokenizer, keras.Layer) and _counts(tokenizer)):
        raise TypeError(
            f"`{name}` must be an adapted keras.layers.TextVectorization, a KerasHub tokenizer or "
            f"an int, the number of words; received {tokenizer!r}."
        )
    mode = tokenizer.get_config().get("output_mode", "int")
    if is_keras and mode != "int":
        raise ValueError(
            f"`{name}` must give the numbers of words in order, output_mode='int'; received "
            f"output_mode={mode!r}."
        )
    words = tokenizer.vocabulary_size()
    if words <= 2 * is_keras:  # what fills up, and what is not known
        raise ValueError(
            f"`{name}` knows no word: adapt it first, text_vectorization.adapt(captions)."
        )
    return words


def _counts(tokenizer):
    return callable(getattr(tokenizer, "vocabulary_size", None))
