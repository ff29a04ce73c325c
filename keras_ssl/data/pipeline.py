"""Input pipelines: from images to batches of views, computed in parallel by tf.data."""

import os

import keras

from keras_ssl import _tensorflow as tf
from keras_ssl._types import Dataset, Views
from keras_ssl.data import elements, epoch_counter
from keras_ssl.data._options import without_autotune
from keras_ssl.validation import check_int, check_seed
from keras_ssl.views.base import fold_in
from keras_ssl.views.device import PositionedImages

MAX_CORES = 16  # each batch in progress costs memory
SHUFFLE_BYTES = 2**30
TRAINING, EVALUATION = 0, 1  # second half of the seed, so that the two never share views


def make_views(
    dataset: Dataset, views: Views, batch_size: int, seed: int = 0, shuffle: bool = True
) -> Dataset:
    """Makes batches of views from images, as `fit` does automatically.

    Use it to look at views, or to share one pipeline between models. The images of a batch and
    every draw of a view are a function of `(seed, epoch, position)`, not of a global random state.
    `fit` sets the epoch. In a custom loop, call `set_epoch` before each epoch.

    The returned dataset has tf.data's autotuning off. On Linux,
    `keras_ssl.data.tune_allocator()` makes small views faster.

    Args:
        dataset: Unbatched `tf.data.Dataset` of images `(H, W, C)` in uint8 or float 0..1, of
            `(image, label)` or of dicts with `"image"`; `data.load` returns such a dataset.
        views: Sequence of views, one for each output, such as `keras_ssl.views.simclr(32)`.
        batch_size: Int >= 1. The last batch is dropped if it is not full.
        seed: Int that fits 32 bits.
        shuffle: Bool. The shuffle buffer holds the whole dataset, but at most 1 GiB of images.

    Returns:
        `tf.data.Dataset` of `((view_1, ..., view_V),)`, or `((view_1, ..., view_V), labels)`.

    Raises:
        TypeError: If an argument has a wrong type, or a view is a Keras layer: wrap it in
            `keras_ssl.views.KerasLayer`.
        ValueError: If the dataset is batched, does not fill a batch or has no images, `views` is
            empty, or a number is out of range.
    """
    check_int(1, batch_size=batch_size)
    check_seed(seed)
    if not isinstance(views, (tuple, list)) or not views:
        raise ValueError(
            "`views` must be a sequence of views, at least one, such as "
            f"keras_ssl.views.simclr(32); received {views!r}."
        )
    for view in views:
        check_view(view, "views")
    dataset = elements.require_unbatched(dataset, "dataset")
    images = int(dataset.cardinality())
    if images == 0:
        raise ValueError("`dataset` is empty.")
    if 0 < images < batch_size:
        raise ValueError(
            f"`dataset` has {images} images and a batch takes {batch_size}: no full batch is left. "
            "Use a smaller `batch_size`."
        )
    buffer = shuffle_buffer_size(dataset)

    def build(first):
        def make_epoch(epoch):
            ordered = dataset
            if shuffle:
                ordered = shuffle_epoch(dataset, buffer, [seed, TRAINING], epoch)
            batches = ordered.batch(batch_size, drop_remainder=True).enumerate().skip(first)
            return batches.map(lambda index, element: (epoch, index, element))

        counter = epoch_counter.EpochCounter()
        indexed = epoch_counter.epoch_source(counter).flat_map(make_epoch)
        batches = _map_views(indexed, views, seed, TRAINING)
        return assert_cardinality(batches, images // batch_size - first)

    return epoch_counter.attach_factory(build)


def set_epoch(dataset: Dataset, epoch: int) -> None:
    """Sets the epoch of the next iteration over a dataset of views.

    Without it, each iteration repeats the same epoch. `fit` calls it automatically.

    Args:
        dataset: Dataset from `data.make_views` or `data.semi_supervised`, or made from one.
        epoch: Int >= 0.

    Raises:
        ValueError: If the dataset does not come from one of these functions.
    """
    if hasattr(dataset, "set_epoch"):  # of arrays, without TensorFlow
        dataset.set_epoch(int(epoch))
        return
    counters = epoch_counter.find_counters(dataset)
    if not counters:
        raise ValueError(
            "`dataset` has no epoch: it does not come from keras_ssl.data.make_views or "
            "keras_ssl.data.semi_supervised."
        )
    for counter in counters:
        counter.value = int(epoch)


def from_batches(dataset, views, seed, *, steps_per_epoch=None, start=(0, 0)):
    """Makes views of a dataset of batches `(images[, labels])`, in its own order.

    Args:
        dataset: `tf.data.Dataset` of batches.
        views: Sequence of views; None for `PositionedImages`, of which the step makes views.
        seed: Int.
        steps_per_epoch: Int, batches of an epoch, or None for one pass over the dataset.
        start: Pair, the first epoch and the number of its batches to skip.
    """
    epoch, first = start
    if steps_per_epoch is None:
        batches = dataset.enumerate().skip(first)
        epochs = epoch_counter.repeat_epoch(epoch_counter.EpochCounter())
        indexed = tf.data.Dataset.zip(epochs, batches)
        indexed = indexed.map(lambda epoch, batch: (epoch, batch[0], batch[1]))
        indexed = assert_cardinality(indexed, batches.cardinality())
    else:
        # Keras iterates once over all epochs, so the epoch is computed from the step.
        first_step = epoch * steps_per_epoch + first
        indexed = dataset.skip(first_step).enumerate(first_step)
        indexed = indexed.map(lambda i, batch: (i // steps_per_epoch, i % steps_per_epoch, batch))
    return _map_views(indexed, views, seed, TRAINING)


def from_arrays(arrays, views, batch_size, seed, shuffle, *, steps_per_epoch, start):
    """Makes views of arrays `(images[, labels])`, shuffled in each epoch; see `from_batches`."""
    epoch, first = start
    images = len(arrays[0])
    batches = images // batch_size
    arrays = tuple(tf.convert_to_tensor(array) for array in arrays)
    if steps_per_epoch is None:
        epochs = epoch_counter.repeat_epoch(epoch_counter.EpochCounter())
        positions = tf.data.Dataset.zip(epochs, tf.data.Dataset.range(first, batches))
        positions = assert_cardinality(positions, batches - first)
    else:
        steps = tf.data.Dataset.range(epoch * steps_per_epoch + first, 2**62)
        steps = epoch_counter.hide_cardinality(steps)
        positions = steps.map(lambda i: (i // batches, i % batches))

    def gather_batch(epoch, position):
        rows = position * batch_size + tf.range(batch_size, dtype=tf.int64)
        if shuffle:
            order = fold_in([seed, TRAINING], epoch)
            rows = tf.random.experimental.index_shuffle(rows, order, images - 1)
        return epoch, position, tuple(tf.gather(array, rows) for array in arrays)

    return _map_views(positions.map(gather_batch), views, seed, TRAINING)


def array_batches(arrays, batch_size):
    """Returns batches of arrays in their order; the last batch may be smaller."""
    check_int(1, batch_size=batch_size)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)


def for_evaluation(dataset, views, seed):
    """Makes views of batches `(images[, labels])`, the same in each pass, and drops nothing."""
    indexed = dataset.enumerate().map(lambda index, batch: (0, index, batch))
    return _map_views(indexed, views, seed, EVALUATION)


def make_first_views(images, views, seed):
    """Makes views of an array of images, to check them and to trace models."""

    def make(images):
        return tuple(view(images, fold_in([seed, TRAINING], i)) for i, view in enumerate(views))

    with tf.device("CPU:0"):  # as in tf.data; eager operations would run on a GPU
        images = tf.convert_to_tensor(images)
        if keras.backend.backend() == "tensorflow":
            return make(images)
        return tf.function(make, autograph=False)(images)  # views know TensorFlow by its graphs


def shuffle_epoch(dataset, buffer, seed, *numbers):
    """Shuffles a dataset in an order that is a function of `seed` and `numbers` only.

    Call it inside a function that tf.data traces, such as that of `flat_map`.
    """
    # Sets the seed of the traced graph, so that the order does not depend on the global seed.
    tf.compat.v1.set_random_seed(1)
    order = tf.random.stateless_uniform((), fold_in(seed, *numbers), None, None, tf.int64)
    return dataset.shuffle(buffer, order, reshuffle_each_iteration=False)


def trace_once(view):
    """Returns a view that is traced once and called, not copied into each graph that uses it.

    Otherwise a pipeline of twenty equal patches takes TensorFlow longer to prepare than an epoch
    of digits takes to train.
    """
    return tf.function(view, experimental_attributes={"_noinline": True})


def _map_views(indexed, views, seed, phase):
    """Maps `(epoch, index, (images[, labels]))` to `((view_1, ..., view_V)[, labels])`."""
    if views is None:
        return _map_positions(indexed, phase)
    traced = {id(view): trace_once(view) for view in views}

    def make_batch(epoch, index, batch):
        images = elements.assert_images(batch[0], index)
        batch_seed = fold_in([seed, phase], epoch, index)
        outputs = tuple(
            traced[id(view)](images, fold_in(batch_seed, i)) for i, view in enumerate(views)
        )
        return (outputs, *batch[1:2])

    return map_in_parallel(indexed, make_batch)


def _map_positions(indexed, phase):
    """Maps `(epoch, index, (images[, labels]))` to `(PositionedImages[, labels])`."""

    def make_batch(epoch, index, batch):
        images = elements.assert_images(batch[0], index)
        row = tf.stack([tf.cast(number, tf.int32) for number in (phase, epoch, index)])
        position = tf.tile(row[None], (tf.shape(images)[0], 1))
        return (PositionedImages(images, position), *batch[1:2])

    return map_in_parallel(indexed, make_batch)


def map_in_parallel(dataset, function):
    """Maps batches of images to batches of views, several batches at the same time."""
    batches = dataset.map(function, num_parallel_calls=num_parallel_batches())
    return without_autotune(batches.prefetch(tf.data.AUTOTUNE))


def num_parallel_batches():
    """Returns the number of batches to process at the same time: one more than cores."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return min(cores, MAX_CORES) + 1


def assert_cardinality(dataset, batches):
    """Sets the number of batches of an epoch, if known; Keras displays and expects it."""
    if batches > 0:
        return dataset.apply(tf.data.experimental.assert_cardinality(batches))
    return dataset


def shuffle_buffer_size(dataset):
    """Returns the size of the shuffle buffer: all elements, up to `SHUFFLE_BYTES`."""
    image = dataset.element_spec[0]
    pixels = image.shape.num_elements() or 512 * 512 * 3  # a guess if sizes differ
    size = max(1, SHUFFLE_BYTES // (pixels * image.dtype.size))
    images = int(dataset.cardinality())
    return min(size, images if images > 0 else 100_000)


def check_view(view, name):
    """Raises TypeError unless `view` is callable and not a Keras layer."""
    if isinstance(view, keras.Layer):
        raise TypeError(
            f"`{name}` must be a view, received a Keras layer. Wrap it: "
            "keras_ssl.views.KerasLayer(layer)."
        )
    if not callable(view):
        raise TypeError(
            f"`{name}` must be a view, such as keras_ssl.views.RandomFlip(); received {view!r}."
        )
