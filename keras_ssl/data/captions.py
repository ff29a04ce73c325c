"""Captions: tokenization in tf.data pipelines and of arrays."""

import warnings

import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl.data.elements import first_element

ACCEPTED = (
    "(images, captions), dicts with 'image' and 'caption', or ready views "
    "((view_1, ...), captions), batched"
)


def tokenize(captions, tokenizer):
    """Tokenizes a tensor of captions.

    Args:
        captions: String tensor `(B,)`.
        tokenizer: As in `encoders.text_transformer`.

    Returns:
        Int32 tensor of token ids `(B, longest)`, padded with 0.
    """
    token_ids = tokenizer(captions)
    if isinstance(token_ids, tf.RaggedTensor):
        token_ids = token_ids.to_tensor()
    return tf.cast(tf.convert_to_tensor(token_ids), tf.int32)


def pad_or_truncate(token_ids, length):
    """Truncates token ids `(B, any)` to `(B, length)`, or pads them with 0."""
    truncated = token_ids[:, :length]
    padded = tf.pad(truncated, [[0, 0], [0, length - tf.shape(truncated)[1]]])
    return tf.ensure_shape(padded, (None, length))


def encode(captions, tokenizer, length, warned=None, name="captions"):
    """Tokenizes an array of captions, and truncates or pads the token ids to `length`.

    Args:
        captions: Sequence of strings, or int array `(B, T)` of token ids.
        tokenizer: As in `encoders.text_transformer`, or None if captions are token ids.
        length: Int, T of the returned array.
        warned: See `warn_truncated`.
        name: Name of the argument in errors.

    Returns:
        Int32 array `(B, length)`.

    Raises:
        TypeError: If captions are neither strings nor token ids, or are strings and there is no
            tokenizer.
        ValueError: If a caption is empty.
    """
    captions = np.asarray(captions)
    if captions.dtype.kind in "iu" and captions.ndim == 2:
        token_ids = captions.astype("int32")
    elif captions.dtype.kind in "USO" and captions.ndim == 1:
        if not all(isinstance(caption, (str, bytes)) for caption in captions.tolist()):
            raise TypeError(f"`{name}` must be strings, received {captions[:3].tolist()!r}.")
        check_tokenizer(tokenizer, name)
        text = tf.constant(captions.tolist(), tf.string, [len(captions)])
        token_ids = tokenize(text, tokenizer).numpy()
    else:
        raise TypeError(
            f"`{name}` must be one string for each image, or int token ids (B, T); received shape "
            f"{captions.shape} and dtype {captions.dtype}."
        )
    lengths = (token_ids != 0).sum(axis=1)
    if not lengths.all():
        position = int(np.argmin(lengths))
        text = f", {captions.tolist()[position]!r}" if captions.ndim == 1 else ""
        raise ValueError(f"`{name}` has an empty caption at position {position}{text}.")
    if (lengths > length).any():
        warn_truncated(length, warned)
    truncated = token_ids[:, :length]
    return np.pad(truncated, [(0, 0), (0, length - truncated.shape[1])])


def tokenize_dataset(dataset, tokenizer, length, warned):
    """Maps a dataset of images and captions to one of images and token ids `(B, length)`.

    Args:
        dataset: Batched `tf.data.Dataset` with elements as in `ACCEPTED`.
        tokenizer: As in `encode`.
        length: As in `encode`.
        warned: See `warn_truncated`.

    Returns:
        `tf.data.Dataset` of `(images, token_ids)`, or `((view_1, ...), token_ids)`.

    Raises:
        TypeError: As in `encode`.
        ValueError: If elements have no captions, or if the first batch has an empty caption or
            another number of captions than of images.
    """
    spec = dataset.element_spec
    if isinstance(spec, dict) and {"image", "caption"} <= set(spec):
        dataset = dataset.map(lambda element: (element["image"], element["caption"]))
    elif not isinstance(spec, tuple) or len(spec) != 2:
        raise ValueError(f"`x` must have elements {ACCEPTED}; received {spec}.")
    images, captions = first_element(dataset)
    check_lengths(len(tf.nest.flatten(images)[0]), captions)
    encode(captions, tokenizer, length, warned)

    def tokenize_batch(index, element):
        images, captions = element
        token_ids = tokenize(captions, tokenizer) if captions.dtype == tf.string else captions
        token_ids = tf.cast(token_ids, tf.int32)
        lengths = tf.reduce_sum(tf.cast(token_ids != 0, tf.int32), axis=1)
        has_empty = tf.reduce_any(lengths == 0)
        tf.debugging.Assert(~has_empty, ["An empty caption in the batch with index", index])
        if tf.reduce_any(lengths > length):
            tf.numpy_function(lambda: warn_truncated(length, warned), [], [])
        return images, pad_or_truncate(token_ids, length)

    return dataset.enumerate().map(tokenize_batch, num_parallel_calls=tf.data.AUTOTUNE)


def warn_truncated(length, warned):
    """Warns that captions are truncated.

    Args:
        length: Int, the number of tokens that are kept.
        warned: List that receives an item with the first warning. If it has one, no warning is
            issued. None to warn each time.
    """
    if not warned:
        warnings.warn(
            f"Captions longer than {length} tokens, the context length of the text encoder, are "
            "truncated (shown once).",
            stacklevel=2,
        )
    if warned is not None:
        warned.append(length)


def check_lengths(num_images, captions):
    """Raises ValueError unless there are as many captions as images."""
    if np.ndim(captions) < 1 or len(captions) != num_images:
        num_captions = len(captions) if np.ndim(captions) else 1
        raise ValueError(
            f"Each image needs one caption, received {num_captions} captions for {num_images} "
            "images."
        )


def check_tokenizer(tokenizer, name):
    """Raises TypeError if there is no tokenizer for captions that are strings."""
    if tokenizer is None:
        raise TypeError(
            f"`{name}` are strings, and the text encoder has no tokenizer. Pass "
            "`CLIP(..., tokenizer=keras.layers.TextVectorization(...))`, create the text encoder "
            "with keras_ssl.encoders.text_transformer(tokenizer), or pass token ids."
        )
