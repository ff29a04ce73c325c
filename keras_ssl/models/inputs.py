"""What `fit`, `evaluate` and `predict` accept, and how it becomes batches of ready views."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_ssl import distribute
from keras_ssl.export import image_shape
from keras_ssl.models.array_views import ArrayViews
from keras_ssl.models.images import check_batch

ACCEPTED = (
    "a tf.data.Dataset of image batches, an array of images (N, H, W, C), a tuple of arrays (one "
    "for each view), or a keras.utils.PyDataset of ready views"
)


class Prepared(NamedTuple):
    """Data for Keras, and a batch of two images to trace the step with (None if unknown)."""

    data: Any
    first: Any = None


def training(model, x, y, *, batch_size, shuffle, initial_epoch, steps_per_epoch):
    """Checks the first batch of `x` and returns full batches of ready views."""
    if _is_dataset(x):
        return _training_dataset(model, x, y, steps_per_epoch, initial_epoch)
    if _is_array(x):
        images, labels = _check_array(model, x, y)
        size = _full_batch(model, len(images), batch_size)
        views = _views(model, images)
        first = _first(model, images, views, labels)
        arrays = (images,) if labels is None else (images, labels)
        from keras_ssl.data import pipeline

        return Prepared(
            pipeline.from_arrays(
                arrays,
                views,
                size,
                model.seed,
                shuffle,
                steps_per_epoch=steps_per_epoch,
                initial_epoch=initial_epoch,
            ),
            first,
        )
    if _are_view_arrays(x):
        views = tuple(np.asarray(view) for view in x)
        first = _check_views(model, views, y)
        size = _full_batch(model, len(views[0]), batch_size)
        return Prepared(
            ArrayViews(
                views, y, size, seed=model.seed, shuffle=shuffle, drop_last=True, epoch=initial_epoch
            ),
            first,
        )
    return _as_it_comes(model, x, y)


def evaluation(model, x, y, *, batch_size):
    """As `training`, without dropping or shuffling."""
    if _is_dataset(x):
        from keras_ssl.data import elements, pipeline

        x = _without_y(x, y)
        if elements.are_views(x):
            batch = _first_of(x)
            return Prepared(pipeline.checked(x), _check_views(model, batch[0], *batch[1:2]))
        x = elements.image_and_label(x)
        batch = _first_of(x)
        views = _views(model, batch[0])
        first = _first(model, batch[0], views, *batch[1:2])
        return Prepared(pipeline.for_evaluation(x, views, model.seed), first)
    if _is_array(x):
        images, labels = _check_array(model, x, y)
        arrays = (images,) if labels is None else (images, labels)
        from keras_ssl.data import pipeline

        batches = pipeline.array_batches(arrays, batch_size or 32)
        return evaluation(model, batches, None, batch_size=None)
    if _are_view_arrays(x):
        views = tuple(np.asarray(view) for view in x)
        first = _check_views(model, views, y)
        return Prepared(ArrayViews(views, y, batch_size or 32), first)
    return _as_it_comes(model, x, y)


def prediction(model, x, *, batch_size):
    """Checks the first batch of `x` and returns batches of images alone."""
    shape = image_shape(model.encoder)
    if _is_dataset(x):
        from keras_ssl.data import elements

        if elements.are_views(x):
            raise ValueError("`x` holds ready views; predict takes images, (B, H, W, C).")
        x = elements.image_and_label(x)
        check_batch(_first_of(x)[0], "x", shape)
        return x.map(lambda images, *rest: images)
    if _is_array(x):
        images = np.asarray(x)
        check_batch(images, "x", shape)
        return ArrayViews(images, None, batch_size or 32)
    return x


def split(x, y, fraction):
    """Splits the last `fraction` off arrays, as Keras does with `validation_split`."""
    if not _is_array(x):
        raise ValueError(
            "`validation_split` works with arrays of images only; pass `validation_data=` "
            f"with a {type(x).__name__}."
        )
    if not 0 < fraction < 1:
        raise ValueError(f"`validation_split` must lie between 0 and 1, received {fraction}.")
    at = int(len(x) * (1 - fraction))
    if at in (0, len(x)):
        raise ValueError(f"`validation_split={fraction}` leaves one part of {len(x)} images empty.")
    if y is None:
        return (x[:at], None), x[at:]
    return (x[:at], y[:at]), (x[at:], y[at:])


def pair(validation_data):
    """Reads `validation_data` as `(x, y)`."""
    arrays = isinstance(validation_data, (tuple, list)) and len(validation_data) == 2
    if arrays and (np.ndim(validation_data[1]) == 1 or _are_view_arrays(validation_data[0])):
        return tuple(validation_data)
    return validation_data, None


def with_epochs(callbacks, train):
    """Adds the callback that tells the data which epoch begins."""
    callbacks = list(callbacks) if isinstance(callbacks, (list, tuple)) else callbacks
    if callbacks is None:
        callbacks = []
    if not isinstance(callbacks, list):
        callbacks = [callbacks]
    if isinstance(train.data, ArrayViews):
        return callbacks
    if _is_dataset(train.data):
        from keras_ssl.data import epochs

        return [_SetEpoch(epochs.find(train.data)), *callbacks]
    return callbacks


def import_views():
    """Imports every view class, so that a config can name them."""
    from keras_ssl import views

    for name in views.__all__:
        getattr(views, name)


class _SetEpoch(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        for each in self.epochs:
            each.value = epoch


def _training_dataset(model, x, y, steps_per_epoch, initial_epoch):
    from keras_ssl.data import elements, pipeline

    x = _without_y(x, y)
    ready = elements.are_views(x)
    if not ready:
        x = elements.image_and_label(x)
    batch = _first_of(x)
    if ready:
        first = _check_views(model, batch[0], *batch[1:2])
        rows = len(batch[0][0])
    else:
        views = _views(model, batch[0])
        first = _first(model, batch[0], views, *batch[1:2])
        rows = len(batch[0])
    x, size = elements.full_batches(x, rows)
    _check_rows(model, rows, size)
    if ready:
        return Prepared(pipeline.checked(x), first)
    made = pipeline.from_batches(
        x, views, model.seed, steps_per_epoch=steps_per_epoch, initial_epoch=initial_epoch
    )
    return Prepared(made, first)


def _as_it_comes(model, x, y):
    if y is not None or x is None or isinstance(x, (str, bytes, dict)):
        raise TypeError(f"`x` must be {ACCEPTED}; received {type(x).__name__}.")
    if isinstance(x, keras.utils.PyDataset) and x.num_batches != 0:
        batch = x[0]
        if not isinstance(batch, tuple) or not isinstance(batch[0], (tuple, list)):
            raise ValueError(
                "A PyDataset must give ready views, ((view_1, ..., view_V),), labels optional; "
                "plain images go into a tf.data.Dataset or an array."
            )
        return Prepared(x, _check_views(model, batch[0], *batch[1:2]))
    if isinstance(x, (tuple, list)) or not hasattr(x, "__iter__"):
        raise TypeError(f"`x` must be {ACCEPTED}; received {type(x).__name__}.")
    return Prepared(x)


def _first_of(dataset):
    for batch in dataset.take(1).as_numpy_iterator():
        return batch
    raise ValueError("`x` is empty: the dataset has no batch.")


def _views(model, images):
    if model.views is not None:
        return model.views
    takes = image_shape(model.encoder)[:2]
    check_batch(images, "x", image_shape(model.encoder))
    size = tuple(known or given for known, given in zip(takes, images.shape[1:3], strict=True))
    return model.default_views(size)


def _first(model, images, views, labels=None):
    """Checks the first batch of images, and the views of two of them."""
    check_batch(images, "x", (None, None, image_shape(model.encoder)[2]))
    from keras_ssl.data import pipeline

    few = images[:2]
    made = tuple(np.asarray(view) for view in pipeline.draw_once(few, views, model.seed))
    for index, view in enumerate(made):
        check_batch(view, f"views[{index}]", image_shape(model.encoder))
    return _element(made, None if labels is None else labels[: len(few)])


def _check_views(model, views, labels=None):
    views = tuple(np.asarray(view) for view in views)
    if len(views) < 2:
        raise ValueError(
            f"`x` has {len(views)} view of each image; {type(model).__name__} compares two or more."
        )
    for index, view in enumerate(views):
        check_batch(view, f"view {index + 1} of x", image_shape(model.encoder))
    rows = [len(view) for view in views]
    if len(set(rows)) > 1:
        raise ValueError(f"The views of `x` have different numbers of images: {rows}.")
    if labels is not None and len(labels) != rows[0]:
        raise ValueError(f"`y` has {len(labels)} labels for {rows[0]} images.")
    return _element(
        tuple(view[:2] for view in views), None if labels is None else np.asarray(labels)[:2]
    )


def _element(views, labels):
    return (views,) if labels is None else (views, labels)


def _check_array(model, x, y):
    images = np.asarray(x)
    check_batch(images, "x", (None, None, image_shape(model.encoder)[2]))
    if y is None:
        return images, None
    labels = np.asarray(y)
    if len(labels) != len(images):
        raise ValueError(f"`y` has {len(labels)} labels for {len(images)} images.")
    return images, labels


def _full_batch(model, images, batch_size):
    size = 32 if batch_size is None else batch_size
    _check_rows(model, images, size)
    return size


def _check_rows(model, rows, size):
    if size < 2:
        raise ValueError(
            "A batch of one image has nothing to be compared with: give batches of two images "
            "or more."
        )
    if rows < size:
        raise ValueError(
            f"`x` has {rows} images and a batch takes {size}: no full batch is left. Use a "
            "smaller batch size."
        )
    replicas = distribute.replicas_of(model)
    if size % replicas:
        raise ValueError(
            f"A batch of {size} images cannot be shared out over {replicas} replicas: use a "
            f"multiple of {replicas}."
        )


def _without_y(x, y):
    if y is not None:
        raise ValueError("`y` belongs with arrays; a dataset carries labels in its elements.")
    return x


def _is_dataset(x):
    return hasattr(x, "element_spec")


def _is_array(x):
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _are_view_arrays(x):
    return isinstance(x, (tuple, list)) and len(x) > 0 and all(_is_array(view) for view in x)
