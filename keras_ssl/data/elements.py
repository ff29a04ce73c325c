"""Elements of datasets: accepted structures, their normalization and their validation."""

from keras_ssl import _internals
from keras_ssl import _tensorflow as tf
from keras_ssl.data.epoch_counter import iter_parents

ACCEPTED = (
    "image batches (B, H, W, C), (images, labels), dicts with 'image' and optionally 'label', or "
    "ready views ((view_1, ..., view_V),), with labels ((view_1, ..., view_V), labels)"
)
# How TensorFlow 2.21 starts the message of a failed `tf.debugging.Assert`.
ASSERTION_FAILED = "assertion failed: "
# Float pixels mean 0..1. The margin accepts overshoot, and still detects 0..255 and -1..1.
LOWEST_PIXEL, HIGHEST_PIXEL = -0.5, 1.5
WRONG_DTYPE = "`{}` must hold images in uint8 (0..255) or float (0..1), received dtype {}."


def first_element(dataset):
    """Returns the first element of a dataset as arrays.

    Raises:
        ValueError: If the dataset is empty, or an assertion in the pipeline fails.
    """
    try:
        for element in dataset.take(1).as_numpy_iterator():
            return element
    except tf.errors.InvalidArgumentError as error:
        message = assertion_message(error)
        if message is None:
            raise
        raise ValueError(f"`x` failed a check of its images: {message}.") from error
    raise ValueError("`x` is empty: the dataset has no batch.")


def assertion_message(error):
    """Returns the message of a failed `tf.debugging.Assert`, or None for any other error.

    TensorFlow has no exception class for a failed assertion. Only the text of an
    `InvalidArgumentError` shows that it is one.
    """
    _, prefix, message = error.message.partition(ASSERTION_FAILED)
    if not prefix:
        return None
    return " ".join(message.split("\n")[0].replace("[", "").replace("]", "").split())


def has_view_structure(dataset):
    """Returns whether the elements of a dataset are ready views."""
    spec = dataset.element_spec
    return isinstance(spec, tuple) and bool(spec) and isinstance(spec[0], (tuple, list))


def is_endless(dataset):
    """Returns whether a dataset is known to repeat forever."""
    return dataset.cardinality() == tf.data.INFINITE_CARDINALITY


def image_and_label(dataset, name="x"):
    """Returns the dataset with elements `(image,)` or `(image, label)`, batched or not.

    Labels in a column, `(B, 1)` as in `keras.datasets`, become `(B,)`.

    Raises:
        ValueError: If elements are not an image, a tuple that starts with an image, or a dict with
            an image.
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
                f"`{name}` has elements of two image batches side by side. Nest ready views: "
                "((view_1, view_2),)."
            )
        if len(spec) > 2:
            dataset = dataset.map(lambda image, label, *_: (image, label))
        return _squeeze_label_column(dataset)
    raise ValueError(f"`{name}` must have elements {ACCEPTED}; received {spec}.")


def _squeeze_label_column(dataset):
    """Removes the last axis of labels that are a column."""
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
    """Returns a dataset of single images as `image_and_label` does.

    Args:
        dataset: The received dataset.
        name: Name of the argument in errors.

    Raises:
        TypeError: If `dataset` is not a `tf.data.Dataset`.
        ValueError: If it is batched, or `image_and_label` rejects it.
    """
    if not isinstance(dataset, tf.data.Dataset):
        raise TypeError(
            f"`{name}` must be a tf.data.Dataset of single images, received "
            f"{type(dataset).__name__}. For arrays, pass "
            "tf.data.Dataset.from_tensor_slices((x, y))."
        )
    dataset = image_and_label(dataset, name)
    rank = dataset.element_spec[0].shape.rank
    if rank not in (3, None):
        raise ValueError(
            f"`{name}` must hold single images (H, W, C), received elements of rank {rank}. Pass "
            "it unbatched; this function makes the batches."
        )
    return dataset


def require_labeled(dataset, name):
    """Returns a dataset of single images with int labels as `require_unbatched` does."""
    dataset = require_unbatched(dataset, name)
    if len(dataset.element_spec) < 2:
        raise ValueError(f"`{name}` has no labels: its elements must be (image, label).")
    label = dataset.element_spec[1]
    if label.shape.rank not in (0, None) or not label.dtype.is_integer:
        raise ValueError(
            f"`{name}` must have one int label for each image; received labels of shape "
            f"{label.shape} and dtype {label.dtype.name}."
        )
    return dataset


def check_first_image(dataset, name):
    """Raises ValueError if the first image has a wrong dtype, or is float and out of range.

    Args:
        dataset: Dataset of single images, from `require_unbatched`.
        name: Name of the argument in errors.
    """
    dtype = dataset.element_spec[0].dtype
    if dtype != tf.uint8 and not dtype.is_floating:
        raise ValueError(WRONG_DTYPE.format(name, dtype.name))
    for image, *_ in dataset.take(1).as_numpy_iterator():
        _check_pixel_range(image, name, dtype.is_floating)


def check_pixels(images, name):
    """As `check_first_image`, for an array of images."""
    is_float = images.dtype.kind == "f"
    if images.dtype != "uint8" and not is_float:
        raise ValueError(WRONG_DTYPE.format(name, images.dtype))
    _check_pixel_range(images, name, is_float)


def _check_pixel_range(images, name, is_float):
    if not is_float or (images.min() >= LOWEST_PIXEL and images.max() <= HIGHEST_PIXEL):
        return
    raise ValueError(
        f"`{name}` has float pixels from {images.min():.4g} to {images.max():.4g}; floats must lie "
        "in 0..1. Divide by 255, or pass uint8, which means 0..255."
    )


def assert_images(images, index):
    """Adds an assertion to the graph: float images are finite and in range.

    Args:
        images: Tensor `(B, H, W, C)`; uint8 is always in range.
        index: Int tensor, index of the batch for the message.

    Returns:
        The images.
    """
    if not images.dtype.is_floating:
        return images
    is_finite = tf.reduce_all(tf.math.is_finite(images))
    is_in_range = tf.reduce_all((images >= LOWEST_PIXEL) & (images <= HIGHEST_PIXEL))
    return _assert_before(
        images,
        (is_finite, ["NaN or infinite pixels in the batch with index", index]),
        (
            is_in_range | ~is_finite,
            ["Float pixels outside 0..1 (uint8 means 0..255) in the batch with index", index],
        ),
    )


def assert_labels(labels, classes, index, what="Labels"):
    """Adds an assertion to the graph: labels lie in `0..classes - 1`.

    Args:
        labels: Int tensor.
        classes: Int, the number of classes.
        index: Int tensor, index of the batch for the message.
        what: First words of the message.

    Returns:
        The labels.
    """
    is_valid = tf.reduce_all((labels >= 0) & (labels < tf.cast(classes, labels.dtype)))
    message = [f"{what} outside 0..{classes - 1} in the batch with index", index]
    return _assert_before(labels, (is_valid, message))


def _assert_before(tensor, *conditions):
    """Returns a tensor that is computed after assertions, pairs `(condition, message)`."""
    assertions = [tf.debugging.Assert(condition, message) for condition, message in conditions]
    # Eager assertions are None: they have raised already.
    with tf.control_dependencies([op for op in assertions if op is not None]):
        return tf.identity(tensor)


def drop_partial_batches(dataset, rows):
    """Drops batches that are not full.

    Args:
        dataset: Dataset of batches.
        rows: Int, the number of images in the first batch.

    Returns:
        The dataset and the size of a full batch, which is above `rows` if the first batch is not
        full.
    """
    static_size = tf.nest.flatten(dataset.element_spec)[0].shape[0]
    if static_size is not None:
        return dataset, static_size
    size = rows
    for parent in iter_parents(dataset):
        batching = _internals.unwrap_batching(parent)
        if batching is not None:
            unbatched, size = batching
            images = unbatched.cardinality()
            # `take` is right only if later transformations keep the number of batches.
            if images > 0 and -(-images // size) == dataset.cardinality():
                return dataset.take(images // size), size
            break

    def is_full(*element):
        return tf.equal(tf.shape(tf.nest.flatten(element)[0])[0], size)

    return dataset.filter(is_full), size


def drop_short_batches(dataset, first):
    """Drops batches whose parts differ in length from those of the first batch.

    If the number of batches is known, only the last batch is examined, which reads the dataset
    once. A filter would hide the number of batches from Keras.

    Args:
        dataset: Dataset of batches.
        first: The first batch.
    """
    specs = tf.nest.flatten(dataset.element_spec)
    if all(spec.shape.rank and spec.shape[0] is not None for spec in specs):
        return dataset
    lengths = [len(part) for part in tf.nest.flatten(first)]
    batches = int(dataset.cardinality())
    if batches > 0:
        last = next(iter(dataset.skip(batches - 1)))
        is_full = [int(tf.shape(part)[0]) for part in tf.nest.flatten(last)] == lengths
        return dataset if is_full else dataset.take(batches - 1)

    def has_full_parts(*element):
        parts = zip(tf.nest.flatten(element), lengths, strict=True)
        return tf.reduce_all([tf.equal(tf.shape(part)[0], length) for part, length in parts])

    return dataset.filter(has_full_parts)
