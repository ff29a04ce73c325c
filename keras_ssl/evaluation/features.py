"""Features of the images of a dataset."""

from typing import Any

import keras
import numpy as np

from keras_ssl import distribute
from keras_ssl._types import Dataset, Views
from keras_ssl.evaluation.datasets import iter_chunks
from keras_ssl.validation import check_int, check_seed, check_view_sequence

CHUNK_VALUES = 2**24  # pixel values held at a time: few calls of `predict`, 64 MiB of float32
BATCH_MULTIPLE = 16  # batch sizes are multiples of this, so that devices can split a batch


def extract_features(
    model: keras.Model | None,
    dataset: Dataset,
    batch_size: int = 256,
    views: Views | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Computes the features of all images, in the order of the dataset.

    Args:
        model: A keras_ssl model, or any `keras.Model` from images to `(B, D)`. It receives float
            images 0..1. None returns the flattened pixels, 0..1, as a baseline.
        dataset: A `tf.data.Dataset`, batched or not, of images, `(image, label)` or dicts with
            the keys `"image"` and `"label"`; or an array of images `(N, H, W, C)`; or arrays
            `(images, labels)`. Images are uint8 0..255 or float 0..1, all of the same size.
        batch_size: Int >= 1, the largest number of images in a forward pass.
        views: Sequence of views. The features of an image are then the mean of the features of
            its views. Use it for encoders that were trained on small patches, with
            `keras_ssl.views.emp_ssl(32)`. None uses the images themselves.
        seed: Int, the seed of the views.

    Returns:
        Float32 array `(N, D)`, and labels `(N,)`, or None if the dataset has none.

    Raises:
        ValueError: If the dataset is empty or infinite, its images are not as described, the
            output of the model is not `(B, D)`, or `views` is empty.
        TypeError: If an argument is of an unsupported type.
    """
    return compute_features(model, dataset, "dataset", batch_size, views, seed)


def compute_features(
    model: keras.Model | None,
    dataset: Dataset,
    name: str,
    batch_size: int = 256,
    views: Views | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Computes features as `extract_features` does; errors call the dataset `name`."""
    check_int(1, batch_size=batch_size)
    check_view_sequence(views, 1)
    check_seed(seed)
    if model is not None and not callable(getattr(model, "predict", None)):
        raise TypeError(f"`model` must be a keras.Model or None. Received {model!r}.")
    features: list[np.ndarray] = []
    labels: list[Any] = []
    for images, label_chunk in iter_chunks(dataset, name, CHUNK_VALUES, batch_size):
        if views is None:
            features.append(_forward(model, images, int(batch_size)))
        else:
            chunk_seed = [seed % 2**32, len(labels)]
            features.append(_mean_over_views(model, images, int(batch_size), views, chunk_seed))
        labels.append(label_chunk)
    return np.concatenate(features), None if labels[0] is None else np.concatenate(labels)


def _mean_over_views(model, images, batch_size, views, seed):
    """Returns the mean features of the views; each view gets its own seed."""
    view_seeds = np.random.default_rng(seed).integers(2**31, size=(len(views), 2))
    total = 0.0
    for view, view_seed in zip(views, view_seeds.astype("int32"), strict=True):
        total = total + _forward(model, np.asarray(view(images, view_seed)), batch_size)
    return total / len(views)


def _forward(model, images, batch_size):
    if model is None:
        return _to_unit_range(images).reshape(len(images), -1)
    # Batches of equal size: some backends would compile the model again for a smaller last batch.
    num_batches = -(-len(images) // batch_size)
    size = -(-len(images) // num_batches)
    size = min(batch_size, size + -size % BATCH_MULTIPLE)
    num_padding = -len(images) % size
    padded = np.concatenate([images, np.repeat(images[-1:], num_padding, axis=0)])
    # Methods scale uint8 images on the device, which receives a quarter of the bytes.
    inputs = padded if getattr(model, "accepts_uint8", False) else _to_unit_range(padded)
    if distribute.has_other_workers(model):  # `predict` would split the images among workers
        batches = np.split(inputs, len(inputs) // size)
        features = np.concatenate([np.asarray(model(batch, training=False)) for batch in batches])
    else:
        features = model.predict(inputs, batch_size=size, verbose=0)
    if getattr(features, "ndim", None) != 2:
        received = getattr(features, "shape", type(features).__name__)
        raise ValueError(
            f"`model` must return features (B, D). It returned {received} for {len(padded)} images."
        )
    return np.asarray(features[: len(images)]).astype("float32")


def _to_unit_range(images):
    if images.dtype == np.uint8:
        return images / np.float32(255)
    return images.astype("float32")
