"""What the elements of a dataset may be, and what they become."""

import tensorflow as tf

from keras_ssl.data.epoch_counter import iter_parents

ACCEPTED = (
    "image batches (B, H, W, C), (images, labels), dicts with 'image' and optionally 'label', or "
    "ready views ((view_1, ..., view_V),), with labels ((view_1, ..., view_V), labels)"
)


def first_element(dataset):
    """Returns the first element of a dataset as arrays.

    Raises:
        ValueError: If there is none, or a check in the pipeline refuses it.
    """
    try:
        for element in dataset.take(1).as_numpy_iterator():
            return element
    except tf.errors.InvalidArgumentError as error:
        _, is_ours, reason = error.message.partition("assertion failed: ")
        if not is_ours:
            raise
        reason = " ".join(reason.split("\n")[0].replace("[", "").replace("]", "").split())
        raise ValueError(f"`x` does not pass a check of its images: {reason}.") from error
    raise ValueError("`x` is empty: the dataset has no batch.")


def has_view_structure(dataset):
    """Whether elements are ready views."""
    spec = dataset.element_spec
    return isinstance(spec, tuple) and bool(spec) and isinstance(spec[0], (tuple, list))


def is_endless(dataset):
    """Whether a dataset is known to repeat forever."""
    return dataset.cardinality() == tf.data.INFINITE_CARDINALITY


def image_and_label(dataset, name="x"):
    """Returns the dataset with elements `(image,)` or `(image, label)`, batched or not.

    Labels in a column, `(B, 1)` as `keras.datasets` has them, become `(B,)`.

    Raises:
        ValueError: If elements are neither an image, a tuple led by one, nor a dict of one.
    """
    spec = dataset.element_spec
    if isinstance(spec, dict):
        if "image" not in spec:
            raise ValueError(
                f"`{name}` has dict elements without 'image'; its keys are {sorted(spec)}."
            )
        if "label" in spec:
            return _squeeze_label_column(
                dataset.map(lambda element: (element["image"], element["label"]))
            )
        return dataset.map(lambda element: (element["image"],))
    if isinstance(spec, tf.TensorSpec):
        return dataset.map(lambda image: (image,))
    if isinstance(spec, tuple) and spec and isinstance(spec[0], tf.TensorSpec):
        if len(spec) > 1 and isinstance(spec[1], tf.TensorSpec) and spec[1].shape.rank == 4:
            raise ValueError(
                f"`{name}` has elements of two image batches side by side. Ready views are nested: "
                "((view_1, view_2),)."
            )
        if len(spec) > 2:
            dataset = dataset.map(lambda image, label, *rest: (image, label))
        return _squeeze_label_column(dataset)
    raise ValueError(f"`{name}` has elements {spec}; accepted are {ACCEPTED}.")


def _squeeze_label_column(dataset):
    """Takes the last axis off labels that are a column."""
    image, *label = dataset.element_spec
    if (
        not label
        or not isinstance(label[0], tf.TensorSpec)
        or None in (image.shape.rank, label[0].shape.rank)
    ):
        return dataset
    is_column = label[0].shape.rank == image.shape.rank - 2 and label[0].shape[-1] == 1
    return dataset.map(lambda x, y: (x, tf.squeeze(y, -1))) if is_column else dataset


def require_unbatched(dataset, name):
    """As `image_and_label`, of a data set that must hold single images.

    Args:
        dataset: What was received.
        name: The argument's name.

    Raises:
        TypeError: If it is no `tf.data.Dataset`.
        ValueError: If it holds batches, or what `image_and_label` does not take.
    """
    if not isinstance(dataset, tf.data.Dataset):
        raise TypeError(
            f"`{name}` must be a tf.data.Dataset of single images, received "
            f"{type(dataset).__name__}. Arrays: tf.data.Dataset.from_tensor_slices((x, y))."
        )
    dataset = image_and_label(dataset, name)
    rank = dataset.element_spec[0].shape.rank
    if rank not in (3, None):
        raise ValueError(
            f"`{name}` must hold single images (H, W, C), and its elements have rank {rank}: give "
            "it unbatched, batches are made here."
        )
    return dataset


def check_first(dataset, name):
    """Raises ValueError where the first image is none: of a wrong type, or floats out of range.

    Args:
        dataset: Single images, from `single_images`.
        name: The argument's name.
    """
    image = dataset.element_spec[0]
    if image.dtype != tf.uint8 and not image.dtype.is_floating:
        raise ValueError(
            f"`{name}` must hold images in uint8 (0..255) or float (0..1), received dtype "
            f"{image.dtype.name}."
        )
    for first, *_ in dataset.take(1).as_numpy_iterator():
        if image.dtype.is_floating and not (first.min() >= -0.5 and first.max() <= 1.5):
            raise ValueError(
                f"`{name}` has float pixels from {first.min():.4g} to {first.max():.4g}; floats "
                "must lie in 0..1. Divide by 255, or pass uint8, which means 0..255."
            )


def require_labeled(dataset, name):
    """As `single_images`, of elements `(image, label)` whose labels are single ints."""
    dataset = require_unbatched(dataset, name)
    if len(dataset.element_spec) < 2:
        raise ValueError(f"`{name}` has no labels: its elements must be (image, label).")
    label = dataset.element_spec[1]
    if label.shape.rank not in (0, None) or not label.dtype.is_integer:
        raise ValueError(
            f"`{name}` must have one class number for each image, an int; received labels of "
            f"shape {label.shape} and dtype {label.dtype.name}."
        )
    return dataset


def assert_images(images, index):
    """Adds to the graph a check of one batch: finite and in range; uint8 always is."""
    if not images.dtype.is_floating:
        return images
    valid = tf.reduce_all(tf.math.is_finite(images))
    in_range = tf.reduce_all((images <= 1.5) & (images >= -0.5))
    checks = [
        tf.debugging.Assert(valid, ["NaN or infinite pixels in the batch with index", index]),
        tf.debugging.Assert(
            in_range | ~valid,
            ["Float pixels outside 0..1 (uint8 means 0..255) in the batch with index", index],
        ),
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):  # None: eager
        return tf.identity(images)


def assert_labels(labels, classes, index, what="Labels"):
    """Adds to the graph a check of one batch: numbers from 0 to `classes` - 1."""
    valid = tf.reduce_all((labels >= 0) & (labels < tf.cast(classes, labels.dtype)))
    message = [f"{what} outside 0..{classes - 1} in the batch with index", index]
    check = tf.debugging.Assert(valid, message)
    with tf.control_dependencies([] if check is None else [check]):  # None: eager
        return tf.identity(labels)


def drop_partial_batches(dataset, rows):
    """Drops batches that are not full.

    Args:
        dataset: Dataset of batches, the first of `rows` images.
        rows: Int, images in the first batch.

    Returns:
        The dataset and the size of a full batch; more than `rows` where the first is not full.
    """
    leading = tf.nest.flatten(dataset.element_spec)[0].shape[0]
    if leading is not None:
        return dataset, leading
    size = rows
    for part in iter_parents(dataset):
        if hasattr(part, "_batch_size"):
            size = int(part._batch_size)
            images = part._input_dataset.cardinality()
            # Between batching and here only what keeps the number of batches may stand.
            if images > 0 and -(-images // size) == dataset.cardinality():
                return dataset.take(images // size), size
            break

    def is_full(*element):
        return tf.equal(tf.shape(tf.nest.flatten(element)[0])[0], size)

    return dataset.filter(is_full), size


def drop_short_batches(dataset, first):
    """Drops batches whose parts are not as long as those of the first.

    Where the number of batches is known, the last is looked at, which reads the data set once:
    filtered ones would leave Keras without that number.
    """
    specs = tf.nest.flatten(dataset.element_spec)
    if all(spec.shape.rank and spec.shape[0] is not None for spec in specs):
        return dataset
    rows = [len(part) for part in tf.nest.flatten(first)]
    batches = int(dataset.cardinality())
    if batches > 0:
        last = next(iter(dataset.skip(batches - 1)))
        is_full = [int(tf.shape(part)[0]) for part in tf.nest.flatten(last)] == rows
        return dataset if is_full else dataset.take(batches - 1)

    def is_like_first(*element):
        parts = zip(tf.nest.flatten(element), rows, strict=True)
        return tf.reduce_all([tf.equal(tf.shape(part)[0], length) for part, length in parts])

    return dataset.filter(is_like_first)
