"""From images to batches of views, drawn in parallel inside tf.data."""

import os

import keras
import tensorflow as tf

from keras_ssl.data import elements, epoch_counter
from keras_ssl.data._allocator import retain_freed_memory
from keras_ssl.data._options import without_autotune
from keras_ssl.validation import check_int, check_seed
from keras_ssl.views.base import fold_in

AUTOTUNE = tf.data.AUTOTUNE
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
PARALLEL = min(CORES, 16) + 1  # batches that get their views at the same time
SHUFFLE_BYTES = 2**30
TRAINING, EVALUATION = 0, 1  # second half of the seed: never the same views in both


def make_views(dataset, views, batch_size, seed=0, shuffle=True):
    """Makes ready views from images: what `fit` does by itself, for those who want to see them.

    Which images form a batch, and every draw of a view, are a function of `(seed, epoch,
    position)`, not of the global random state. `fit` sets the epoch; in a loop of one's own,
    `set_epoch` does. tf.data's tuning is off for what is returned, and glibc keeps memory that
    batches free, for which they would wait.

    Args:
        dataset: Unbatched `tf.data.Dataset` of images `(H, W, C)`, uint8 or float 0..1, of
            `(image, label)` or of dicts with `"image"`; what `data.load` returns.
        views: Sequence of views, one output each, such as `keras_ssl.views.simclr(32)`.
        batch_size: Int > 0; the last batch is dropped where it is not full.
        seed: Int.
        shuffle: Bool. The buffer holds the whole data set up to 1 GiB of images.

    Returns:
        `tf.data.Dataset` of `((view_1, ..., view_V),)`, or `((view_1, ..., view_V), labels)`.

    Raises:
        TypeError: If a view is a keras layer, which `keras_ssl.views.KerasLayer` makes one.
        ValueError: If the dataset is batched or does not fill a batch, or `batch_size` or `views`
            is not valid.
    """
    check_int(1, batch_size=batch_size)
    check_seed(seed)
    if not isinstance(views, (tuple, list)) or not views or not all(map(callable, views)):
        raise ValueError(f"`views` must be a sequence of views, received {views!r}.")
    for view in views:
        check_view(view, "views")
    dataset = elements.require_unbatched(dataset, "dataset")
    images = int(dataset.cardinality())
    if 0 <= images < batch_size:
        raise ValueError(
            f"`dataset` has {images} images and a batch takes {batch_size}: no full batch is left. "
            "Use a smaller `batch_size`."
            if images
            else "`dataset` is empty."
        )
    buffer = shuffle_buffer_size(dataset)

    def made(first, passes):
        def one_epoch(epoch):
            ordered = (
                shuffle_epoch(dataset, buffer, [seed, TRAINING], epoch) if shuffle else dataset
            )
            batches = ordered.batch(batch_size, drop_remainder=True).enumerate().skip(first)
            return batches.map(lambda index, element: (epoch, index, element))

        indexed = epoch_counter.epoch_source(epoch_counter.EpochCounter(), passes).flat_map(
            one_epoch
        )
        ready = _map_views(indexed, views, seed, TRAINING)
        return ready if passes > 1 else assert_cardinality(ready, images // batch_size - first)

    return epoch_counter.attach_factory(made)


def set_epoch(dataset, epoch):
    """Says which epoch the next iteration over a dataset of views is.

    Args:
        dataset: What `data.make_views` or `data.semi_supervised` returned, or a dataset made from it.
        epoch: Int >= 0.

    Raises:
        ValueError: If the dataset does not come from one of them.
    """
    found = epoch_counter.find_counters(dataset)
    if not found:
        raise ValueError(
            "`dataset` does not come from keras_ssl.data.make_views or semi_supervised: it has no epoch."
        )
    for each in found:
        each.value = int(epoch)


def from_batches(dataset, views, seed, *, steps_per_epoch=None, start=(0, 0), passes=1):
    """Makes views of a dataset of batches `(images[, labels])`, in its own order.

    `start` is a pair: the epoch to begin with, and how many of its batches are left out. `passes`
    above 1 is the number of epochs to make in a row, each `steps_per_epoch` batches.
    """
    epoch, first = start
    if steps_per_epoch is None:
        batches = dataset.enumerate().skip(first)
        indexed = tf.data.Dataset.zip(
            epoch_counter.repeat_epoch(epoch_counter.EpochCounter()), batches
        )
        indexed = indexed.map(lambda epoch, batch: (epoch, batch[0], batch[1]))
        indexed = assert_cardinality(indexed, batches.cardinality())
    else:
        # Keras reads one stream over all epochs: its steps are counted instead.
        start = epoch * steps_per_epoch + first
        whole = (
            epoch_counter.hide_cardinality(dataset.repeat(passes))
            if passes > 1
            else dataset.skip(start)
        )
        indexed = whole.enumerate(start)
        indexed = indexed.map(lambda i, batch: (i // steps_per_epoch, i % steps_per_epoch, batch))
    return _map_views(indexed, views, seed, TRAINING)


def from_arrays(arrays, views, batch_size, seed, shuffle, *, steps_per_epoch, start, passes=1):
    """Makes views of arrays `(images[, labels])`, shuffled anew each epoch; see `from_batches`."""
    epoch, first = start
    images = len(arrays[0])
    batches = images // batch_size
    arrays = tuple(tf.convert_to_tensor(array) for array in arrays)
    if steps_per_epoch is None:
        stream = epoch_counter.repeat_epoch(epoch_counter.EpochCounter())
        positions = tf.data.Dataset.zip(stream, tf.data.Dataset.range(first, batches))
        positions = assert_cardinality(positions, batches - first)
    else:
        end = (epoch + passes) * batches if passes > 1 else 2**62
        steps = epoch_counter.hide_cardinality(
            tf.data.Dataset.range(epoch * steps_per_epoch + first, end)
        )
        positions = steps.map(lambda i: (i // batches, i % batches))

    def take(epoch, position):
        rows = position * batch_size + tf.range(batch_size, dtype=tf.int64)
        if shuffle:
            order = fold_in([seed, TRAINING], epoch)
            rows = tf.random.experimental.index_shuffle(rows, order, images - 1)
        return epoch, position, tuple(tf.gather(array, rows) for array in arrays)

    return _map_views(positions.map(take), views, seed, TRAINING)


def array_batches(arrays, batch_size):
    """Batches of arrays in their order, the last one as it comes."""
    check_int(1, batch_size=batch_size)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)


def for_evaluation(dataset, views, seed):
    """Makes the same views each time of batches `(images[, labels])`; drops nothing."""
    return _map_views(dataset.enumerate().map(lambda i, b: (0, i, b)), views, seed, EVALUATION)


def make_views_eagerly(images, views, seed):
    """Views of a few images, at once: to check and to trace with."""
    images = tf.convert_to_tensor(images)
    return tuple(view(images, fold_in([seed, TRAINING], i)) for i, view in enumerate(views))


def validate_batches(dataset):
    """Adds the check of later batches to a dataset whose elements lead with images or views."""

    def check(index, element):
        first, rest = element[0], element[1:]
        first = tf.nest.map_structure(lambda x: elements.assert_images(x, index), first)
        return (first, *rest)

    return without_autotune(dataset.enumerate().map(check, num_parallel_calls=AUTOTUNE))


def shuffle_epoch(dataset, buffer, seed, *numbers):
    """Shuffles inside the graph that makes an epoch: a function of `seed` and `numbers` alone."""
    tf.compat.v1.set_random_seed(1)  # of that graph: the order must not follow the global seed
    order = tf.random.stateless_uniform((), fold_in(seed, *numbers), None, None, tf.int64)
    return dataset.shuffle(buffer, order, reshuffle_each_iteration=False)


def trace_once(view):
    """Returns a view traced once and called, not copied into each graph that uses it.

    Of twenty equal patches the graph would take TensorFlow longer to prepare than an epoch of
    digits.
    """
    return tf.function(view, experimental_attributes={"_noinline": True})


def validate_semi_supervised_batches(dataset, classes, indices=None):
    """Adds the check of later batches of labeled and unlabeled images."""

    def check(index, element):
        parts, labels = element
        images = {
            name: elements.assert_images(parts[name], index)
            for name in ("labeled", "weak", "strong")
        }
        if labels.shape.rank == 2:  # in a column
            labels = tf.squeeze(labels, -1)
        if indices is not None:
            parts["index"] = elements.assert_labels(parts["index"], indices, index, "`index`")
        return {**parts, **images}, elements.assert_labels(labels, classes, index)

    return without_autotune(dataset.enumerate().map(check, num_parallel_calls=AUTOTUNE))


def validate_labeled_batches(dataset, classes):
    """Adds the check of later batches `(images, labels)`."""

    def check(index, element):
        images, labels = element
        labels = elements.assert_labels(labels, classes, index)
        return elements.assert_images(images, index), labels

    return without_autotune(dataset.enumerate().map(check, num_parallel_calls=AUTOTUNE))


def _map_views(indexed, views, seed, phase):
    """Maps `(epoch, index, (images[, labels]))` to views."""
    traced = {id(view): trace_once(view) for view in views}

    def make(epoch, index, batch):
        images = elements.assert_images(batch[0], index)
        at = fold_in([seed, phase], epoch, index)
        made = tuple(traced[id(view)](images, fold_in(at, i)) for i, view in enumerate(views))
        return (made, *batch[1:2])

    return map_in_parallel(indexed, make)


def map_in_parallel(dataset, make):
    """Maps batches of images to batches of views, several at the same time."""
    retain_freed_memory()
    return without_autotune(dataset.map(make, num_parallel_calls=PARALLEL).prefetch(AUTOTUNE))


def assert_cardinality(dataset, batches):
    """Says how many batches an epoch has, where that is known: Keras shows and expects it."""
    return (
        dataset.apply(tf.data.experimental.assert_cardinality(batches)) if batches > 0 else dataset
    )


def shuffle_buffer_size(dataset):
    """Elements to shuffle among: all, up to `SHUFFLE_BYTES`."""
    image = dataset.element_spec[0]
    pixels = image.shape.num_elements() or 512 * 512 * 3
    fit = max(1, SHUFFLE_BYTES // (pixels * image.dtype.size))
    images = int(dataset.cardinality())
    return min(fit, images) if images > 0 else min(fit, 100_000)


def check_view(view, name):
    """Raises TypeError unless a view can be called as one."""
    if isinstance(view, keras.Layer):
        raise TypeError(
            f"`{name}` must be a view, and received a keras layer: wrap it, "
            "keras_ssl.views.KerasLayer(layer)."
        )
    if not callable(view):
        raise TypeError(f"`{name}` must be a view of keras_ssl.views or None, received {view!r}.")
