"""Features of every image of a data set, in order."""

import numpy as np

from keras_ssl import distribute
from keras_ssl.images import check_batch
from keras_ssl.validation import check_int

CHUNK = 2**24  # numbers read before they are forwarded: few calls, 64 MiB of float32
SHARE = 16  # a forward pass is of a multiple of this many images, for devices to share out


def extract_features(model, dataset, batch_size=256, views=None, seed=0):
    """Computes the features of all images; none is dropped or moved.

    Args:
        model: A keras_ssl model, or any `keras.Model` from images to `(B, D)`: it gets float
            images 0..1. None gives the pixels themselves, flattened, 0..1: the baseline.
        dataset: `tf.data.Dataset`, batched or not, of images, `(image, label)` or dicts with
            `"image"` and `"label"`; an array of images `(N, H, W, C)`; or arrays
            `(images, labels)`. Images are uint8 0..255 or float 0..1, all of one size.
        batch_size: Int >= 1, images in one forward pass at most.
        views: Sequence of views, of which each image's features are then the mean: for networks
            that were trained on small patches, `keras_ssl.views.emp_ssl(32)`. None for the image
            as it is.
        seed: Int, of the views' draws.

    Returns:
        Float32 array `(N, D)`, and the labels `(N,)`, or None where there are none.

    Raises:
        ValueError: If the data set is empty or endless, its images are not as described, the
            model's output is not `(B, D)`, or `views` is not a sequence of views.
        TypeError: If `dataset` is of another kind.
    """
    check_int(1, batch_size=batch_size)
    _check_views(views)
    _check_seed(seed)
    if model is not None and not callable(getattr(model, "predict", None)):
        raise TypeError(f"`model` must be a keras.Model or None, received {model!r}.")
    features, labels = [], []
    for images, chunk_labels in _chunks(dataset, CHUNK, batch_size):
        if views is None:
            features.append(_forward(model, images, int(batch_size)))
        else:
            features.append(_mean_forward(model, images, int(batch_size), views, seed, len(labels)))
        labels.append(chunk_labels)
    return np.concatenate(features), None if labels[0] is None else np.concatenate(labels)


def features_of(name, model, dataset, views=None):
    """As `extract_features`, of a data set that the caller's own caller calls `name`."""
    return _named(name, lambda images: extract_features(model, images, views=views), dataset)


def _named(name, function, dataset, *arguments):
    try:
        return function(dataset, *arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("`dataset`", f"`{name}`")) from error


def images_of(name, dataset, limit=None):
    """As `read_images`, of a data set that the caller's caller calls `name`."""
    return _named(name, read_images, dataset, limit)


def read_images(dataset, limit=None):
    """Reads images, and labels where there are any, into arrays.

    Args:
        dataset: As in `extract_features`.
        limit: Int >= 1, how many images to read at most; None reads all.

    Returns:
        Array `(N, H, W, C)`, and labels `(N,)` or None.

    Raises:
        ValueError: As in `extract_features`.
        TypeError: If `dataset` is of another kind.
    """
    if limit is not None:
        check_int(1, limit=limit)
    images, labels, read = [], [], 0
    # Of an endless data set the first images can be read.
    for some, some_labels in _chunks(dataset, 0, 256, endless=limit is not None):
        images.append(some)
        labels.append(some_labels)
        read += len(some)
        if limit is not None and read >= limit:
            break
    labels = None if labels[0] is None else np.concatenate(labels)[:limit]
    return np.concatenate(images)[:limit], labels


def _check_seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"`seed` must be an int, received {seed!r}.")


def _check_views(views):
    is_sequence = isinstance(views, (tuple, list)) and len(views) > 0
    if views is not None and not (is_sequence and all(map(callable, views))):
        raise ValueError(
            f"`views` must be a sequence of one view or more, or None, received {views!r}."
        )


def _mean_forward(model, images, batch_size, views, seed, chunk):
    """Mean over views, each drawn from `(seed, chunk, which view)`."""
    draws = np.random.default_rng([seed % 2**32, chunk]).integers(2**31, size=(len(views), 2))
    total = 0.0
    for view, pair in zip(views, draws.astype("int32"), strict=True):
        total = total + _forward(model, np.asarray(view(images, pair)), batch_size)
    return total / len(views)


def _forward(model, images, batch_size):
    if model is None:
        return _to_unit_range(images).reshape(len(images), -1)
    # Batches of one size, or some backends compile the last one anew.
    batches = -(-len(images) // batch_size)
    size = -(-len(images) // batches)
    size = min(batch_size, size + -size % SHARE)
    missing = -len(images) % size
    padded = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])
    if distribute.has_other_workers(model):  # Keras would share the images out among them
        pieces = np.split(_to_unit_range(padded), len(padded) // size)
        found = np.concatenate([np.asarray(model(piece, training=False)) for piece in pieces])
    else:
        found = model.predict(_to_unit_range(padded), batch_size=size, verbose=0)
    if getattr(found, "ndim", None) != 2:
        returned = getattr(found, "shape", type(found).__name__)
        raise ValueError(
            f"`model` must return features (B, D), and it returned {returned} for "
            f"{len(padded)} images."
        )
    return np.asarray(found[: len(images)]).astype("float32")


def _to_unit_range(images):
    if images.dtype == np.uint8:
        return images / np.float32(255)
    return images.astype("float32")


def _chunks(dataset, pixels, batch_size, endless=False):
    """Yields arrays `(images, labels or None)`: whole batches, about `pixels` numbers or one."""
    if hasattr(dataset, "element_spec"):
        if not endless and int(dataset.cardinality()) == -1:
            raise ValueError("`dataset` repeats forever: drop the repeat(), or take() a part.")
        chunks = _of_dataset(dataset, pixels, batch_size)
    else:
        chunks = _of_arrays(dataset, pixels, batch_size)
    is_empty = True
    for images, labels in chunks:
        is_empty = False
        check_batch(images, "dataset")
        yield images, labels
    if is_empty:
        raise ValueError("`dataset` is empty: it has no image.")


def _of_arrays(dataset, pixels, batch_size):
    images, labels = dataset, None
    if isinstance(dataset, (tuple, list)):
        images, labels = (*dataset, None, None)[:2]
    if not hasattr(images, "shape") or not len(images.shape):
        raise TypeError(
            "`dataset` must be a tf.data.Dataset, an array of images or arrays (images, labels); "
            f"received {type(dataset).__name__}."
        )
    images, labels = np.asarray(images), None if labels is None else np.asarray(labels)
    if labels is not None and labels.shape[:1] != images.shape[:1]:
        raise ValueError(f"`dataset` has images {images.shape} and labels {labels.shape}.")
    size = _images_in(pixels, batch_size, images)
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        yield images[rows], None if labels is None else labels[rows]


def _of_dataset(dataset, pixels, batch_size):
    image = _image_and_label(dataset.element_spec)[0]
    if isinstance(image, (tuple, list)):
        raise ValueError("`dataset` holds ready views; features are of images.")
    is_one = image.shape.rank == 3
    # Images whose size is not known beforehand may differ: then they are put together here.
    batched = dataset.batch(256) if is_one and None not in tuple(image.shape) else dataset
    images, labels, held = [], [], 0
    for element in batched.as_numpy_iterator():
        some, label = _image_and_label(element)
        if is_one and batched is dataset:
            some, label = some[None], None if label is None else np.asarray(label)[None]
        images.append(some)
        labels.append(label)
        held += len(some)
        if held >= _images_in(pixels, batch_size, some):
            yield _join_microbatches(images, labels)
            images, labels, held = [], [], 0
    if images:
        yield _join_microbatches(images, labels)


def _image_and_label(element):
    if isinstance(element, dict):
        if "image" not in element:
            raise ValueError(f"`dataset` has dicts without 'image': {sorted(element)}.")
        return element["image"], element.get("label")
    return (*element, None)[:2] if isinstance(element, tuple) else (element, None)


def _images_in(pixels, batch_size, image):
    """How many images to hold: whole batches, one at least."""
    one = int(np.prod(image.shape[1:]))
    return max(1, pixels // max(1, one * batch_size)) * batch_size


def _join_microbatches(images, labels):
    if len({some.shape[1:] for some in images}) > 1:
        sizes = sorted({some.shape[1:] for some in images})
        raise ValueError(
            f"`dataset` has images of several sizes, {sizes[0]} and {sizes[-1]} among them: "
            "bring them to one."
        )
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)
