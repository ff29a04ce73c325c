"""Captions: from text to numbered words, inside tf.data."""

import warnings

import lazy_loader
import numpy as np

tf = lazy_loader.load("tensorflow")  # words that are numbers already need none

ACCEPTED = (
    "(images, captions), dicts with 'image' and 'caption', or ready views "
    "((view_1, ...), captions), batched"
)


def tokenize(captions, tokenizer):
    """Cuts captions into numbered words.

    Args:
        captions: String tensor `(B,)`.
        tokenizer: As in `encoders.text_transformer`.

    Returns:
        Int32 tensor `(B, longest)`, filled up with 0.
    """
    found = tokenizer(captions)
    found = found.to_tensor() if isinstance(found, tf.RaggedTensor) else tf.convert_to_tensor(found)
    return tf.cast(found, tf.int32)


def pad_or_truncate(words, length):
    """Cuts words `(B, any)` to `(B, length)`, or fills them up with 0."""
    cut = words[:, :length]
    filled = tf.pad(cut, [[0, 0], [0, length - tf.shape(cut)[1]]])
    return tf.ensure_shape(filled, (None, length))


def encode(captions, tokenizer, length, told=None, name="captions"):
    """As `words` and `of_length`, at once: of captions that are at hand.

    Args:
        captions: Sequence of strings, or int array `(B, T)` of words already numbered.
        tokenizer: As in `encoders.text_transformer`, or None where words come as numbers.
        length: Int, T of what is returned.
        told: See `warn_once`.
        name: What errors call the captions.

    Returns:
        Int32 array `(B, length)`.

    Raises:
        TypeError: If the captions are neither text nor numbers, or there is no tokenizer for text.
        ValueError: If a caption is empty.
    """
    found = np.asarray(captions)
    if found.dtype.kind in "iu" and found.ndim == 2:
        numbered = found.astype("int32")
    elif found.dtype.kind in "USO" and found.ndim == 1:
        if not all(isinstance(caption, (str, bytes)) for caption in found.tolist()):
            raise TypeError(f"`{name}` must be strings, received {found[:3].tolist()!r}.")
        check_tokenizer(tokenizer, name)
        text = tf.constant(found.tolist(), tf.string, [len(found)])
        numbered = tokenize(text, tokenizer).numpy()
    else:
        raise TypeError(
            f"`{name}` must be one string for each image, or the numbers of its words, int (B, T); "
            f"received shape {found.shape} and dtype {found.dtype}."
        )
    lengths = (numbered != 0).sum(axis=1)
    if not lengths.all():
        at = int(np.argmin(lengths))
        text = f", {found.tolist()[at]!r}" if found.ndim == 1 else ""
        raise ValueError(f"`{name}` has an empty caption at position {at}{text}.")
    if (lengths > length).any():
        warn_truncated(length, told)
    cut = numbered[:, :length]
    return np.pad(cut, [(0, 0), (0, length - cut.shape[1])])


def tokenize_dataset(dataset, tokenizer, length, told):
    """Maps a dataset of images and captions to one of images and words `(B, length)`.

    Args:
        dataset: Batched `tf.data.Dataset` of what `ACCEPTED` says.
        tokenizer: As in `tokens`.
        length: As in `tokens`.
        told: See `warn_once`.

    Returns:
        `tf.data.Dataset` of `(images, words)`, or `((view_1, ...), words)`.

    Raises:
        TypeError: As in `tokens`.
        ValueError: If elements have no captions, or the first batch has an empty one, or more or
            fewer captions than images.
    """
    from keras_ssl.data.elements import first_element

    spec = dataset.element_spec
    if isinstance(spec, dict) and {"image", "caption"} <= set(spec):
        dataset = dataset.map(lambda element: (element["image"], element["caption"]))
    elif not isinstance(spec, tuple) or len(spec) != 2:
        raise ValueError(f"`x` must have elements {ACCEPTED}; received {spec}.")
    images, captions = first_element(dataset)
    check_lengths(len(tf.nest.flatten(images)[0]), captions)
    encode(captions, tokenizer, length, told)

    def number(index, element):
        images, captions = element
        found = tokenize(captions, tokenizer) if captions.dtype == tf.string else captions
        found = tf.cast(found, tf.int32)
        lengths = tf.reduce_sum(tf.cast(found != 0, tf.int32), axis=1)
        is_none = tf.reduce_any(lengths == 0)
        tf.debugging.Assert(~is_none, ["An empty caption in the batch with index", index])
        if tf.reduce_any(lengths > length):
            tf.numpy_function(lambda: warn_truncated(length, told), [], [])
        return images, pad_or_truncate(found, length)

    return dataset.enumerate().map(number, num_parallel_calls=tf.data.AUTOTUNE)


def warn_truncated(length, told):
    """Says that captions are cut.

    Args:
        length: Int, words that are kept.
        told: List that gets an item with the first warning; nothing is said where it has one.
            None to say it each time.
    """
    if not told:
        warnings.warn(
            f"Captions of more than {length} words are cut to that, the context length of the "
            "text encoder; this is said once.",
            stacklevel=2,
        )
    if told is not None:
        told.append(length)


def check_lengths(images, captions):
    """Raises ValueError unless there are as many captions as images."""
    if np.ndim(captions) < 1 or len(captions) != images:
        count = len(captions) if np.ndim(captions) else 1
        raise ValueError(
            f"There must be one caption for each image, and there are {count} captions for "
            f"{images} images."
        )


def check_tokenizer(tokenizer, name):
    """Raises TypeError where text comes without a tokenizer."""
    if tokenizer is None:
        raise TypeError(
            f"`{name}` are text, and the text encoder has no tokenizer: pass "
            "`CLIP(..., tokenizer=keras.layers.TextVectorization(...))`, make the encoder by "
            "keras_ssl.encoders.text_transformer(tokenizer), or give the numbers of words."
        )
