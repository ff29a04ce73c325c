"""Reading images and labels from datasets and arrays."""

import numpy as np

from keras_ssl._types import Dataset
from keras_ssl.images import check_batch
from keras_ssl.validation import check_int

READ_BATCH_SIZE = 256  # images per batch when images are only read


def read_images(dataset: Dataset, limit: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads images, and labels if there are any, into arrays.

    Args:
        dataset: A dataset or arrays, as in `extract_features`. It may repeat forever if `limit`
            is given.
        limit: Int >= 1, the largest number of images to read. None reads all images.

    Returns:
        Array `(N, H, W, C)`, and labels `(N,)` or None.

    Raises:
        ValueError: If the dataset is empty, or infinite without a `limit`, or if its images are
            not as described in `extract_features`.
        TypeError: If `dataset` is of an unsupported type.
    """
    return load_images(dataset, "dataset", limit)


def load_images(dataset, name, limit=None):
    """Reads images and labels as `read_images` does; errors call the dataset `name`."""
    if limit is not None:
        check_int(1, limit=limit)
    images, labels, num_images = [], [], 0
    chunks = iter_chunks(dataset, name, 0, READ_BATCH_SIZE, allow_infinite=limit is not None)
    for image_chunk, label_chunk in chunks:
        images.append(image_chunk)
        labels.append(label_chunk)
        num_images += len(image_chunk)
        if limit is not None and num_images >= limit:
            break
    labels = None if labels[0] is None else np.concatenate(labels)[:limit]
    return np.concatenate(images)[:limit], labels


def iter_chunks(dataset, name, chunk_values, batch_size, allow_infinite=False):
    """Yields the images of a dataset in order, in chunks of whole batches.

    Args:
        dataset: A dataset or arrays, as in `extract_features`.
        name: String, what error messages call the dataset.
        chunk_values: Int, about how many pixel values a chunk holds. It holds at least one batch.
        batch_size: Int >= 1, images per batch.
        allow_infinite: Bool, whether the dataset may repeat forever.

    Yields:
        Arrays `(images, labels)`; labels are None if the dataset has none.
    """
    if hasattr(dataset, "element_spec"):
        if not allow_infinite and int(dataset.cardinality()) == -1:
            raise ValueError(
                f"`{name}` repeats forever. Remove the call of repeat(), or limit it with take()."
            )
        chunks = _iter_dataset(dataset, name, chunk_values, batch_size)
    else:
        chunks = _iter_arrays(dataset, name, chunk_values, batch_size)
    is_empty = True
    for images, labels in chunks:
        is_empty = False
        check_batch(images, name)
        yield images, labels
    if is_empty:
        raise ValueError(f"`{name}` is empty: it has no images.")


def _iter_arrays(dataset, name, chunk_values, batch_size):
    images, labels = dataset, None
    if isinstance(dataset, (tuple, list)):
        images, labels = (*dataset, None, None)[:2]
    if not hasattr(images, "shape") or not len(images.shape):
        raise TypeError(
            f"`{name}` must be a tf.data.Dataset, an array of images or arrays (images, labels). "
            f"Received {type(dataset).__name__}."
        )
    images, labels = np.asarray(images), None if labels is None else np.asarray(labels)
    if labels is not None and labels.shape[:1] != images.shape[:1]:
        raise ValueError(
            f"`{name}` must have one label for each image. Received images {images.shape} and "
            f"labels {labels.shape}."
        )
    size = _chunk_size(images, chunk_values, batch_size)
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        yield images[rows], None if labels is None else labels[rows]


def _iter_dataset(dataset, name, chunk_values, batch_size):
    image_spec = _split_element(dataset.element_spec, name)[0]
    if isinstance(image_spec, (tuple, list)):
        raise ValueError(
            f"`{name}` holds views. Pass a dataset of images: features are computed from images."
        )
    is_unbatched = image_spec.shape.rank == 3
    # tf.data cannot batch images of unknown size, which may differ. They are stacked here.
    batch_here = is_unbatched and None in tuple(image_spec.shape)
    if is_unbatched and not batch_here:
        dataset = dataset.batch(READ_BATCH_SIZE)
    images, labels, num_images = [], [], 0
    for element in dataset.as_numpy_iterator():
        image, label = _split_element(element, name)
        if batch_here:
            image, label = image[None], None if label is None else np.asarray(label)[None]
        images.append(image)
        labels.append(label)
        num_images += len(image)
        if num_images >= _chunk_size(image, chunk_values, batch_size):
            yield _concatenate(images, labels, name)
            images, labels, num_images = [], [], 0
    if images:
        yield _concatenate(images, labels, name)


def _split_element(element, name):
    """Returns the image and the label, or None, of a dataset's element."""
    if isinstance(element, dict):
        if "image" not in element:
            raise ValueError(
                f"`{name}` has dicts without the key 'image'. Received the keys {sorted(element)}."
            )
        return element["image"], element.get("label")
    return (*element, None)[:2] if isinstance(element, tuple) else (element, None)


def _chunk_size(images, chunk_values, batch_size):
    """Returns the number of images in a chunk: whole batches, at least one."""
    image_values = int(np.prod(images.shape[1:]))
    return max(1, chunk_values // max(1, image_values * batch_size)) * batch_size


def _concatenate(images, labels, name):
    shapes = sorted({batch.shape[1:] for batch in images})
    if len(shapes) > 1:
        raise ValueError(
            f"`{name}` has images of several sizes, such as {shapes[0]} and {shapes[-1]}. Resize "
            "them to one size."
        )
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)
