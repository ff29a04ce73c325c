"""What `fit`, `evaluate` and `predict` accept, and how it becomes batches of ready views.

Plain images need the data pipeline, and with it TensorFlow; ready views in arrays do not.
"""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_ssl.images import check_batch, image_shape
from keras_ssl.training.fit import epoch_stream, validation
from keras_ssl.training.fit.array_dataset import ArrayDataset

ACCEPTED = (
    "a tf.data.Dataset of image batches or ready views, an array of images (N, H, W, C), a tuple "
    "of arrays (one for each view), or a keras.utils.PyDataset of ready views"
)


class PreparedData(NamedTuple):
    """Data for Keras, and what is known of it.

    Attributes:
        data: Dataset of what a step takes.
        first: Two images' views to trace the step with, or the first batch; None if unknown.
        start: Int, the epoch at which data that goes on from epoch to epoch begins; else None.
        facts: What the data set tells of itself, `data.semi_supervised.Facts`; or None.
        steps: Int, batches of an epoch where the data is all epochs in a row; else None.
    """

    data: Any
    first: Any = None
    start: Any = None
    facts: Any = None
    steps: Any = None


def prepare_training(model, x, y, *, batch_size, shuffle, start, steps_per_epoch, passes):
    """Checks the first batch of `x` and returns full batches of ready views.

    `start` is a pair: the epoch to begin with, and how many of its batches are left out. `passes`
    is how many epochs may follow one another in what is returned: TensorFlow prepares a data set
    anew each time it is begun, which takes longer than an epoch of digits.
    """
    if is_dataset(x):
        return _training_dataset(model, x, y, steps_per_epoch, start, passes)
    batch_size = 32 if batch_size is None else batch_size
    if _is_view_arrays(x):
        views = _view_arrays(x)
        first = validation.validate_views(model, views, y)
        validation.validate_batch_size(model, len(views[0]), batch_size)
        data = ArrayDataset(
            views,
            y,
            batch_size,
            seed=model.seed,
            shuffle=shuffle,
            drop_last=True,
            epoch=start[0],
        )
        return PreparedData(epoch_stream.skip_batches(data, start[1]), first)
    if is_array(x):
        from keras_ssl.data import pipeline

        images, labels = validation.validate_images(model, x, y)
        validation.validate_batch_size(model, len(images), batch_size)
        views = validation.choose_views(model, images)
        steps, passes = epoch_stream.can_stream_epochs(
            model, steps_per_epoch, len(images) // batch_size, passes
        )
        data = pipeline.from_arrays(
            make_element(images, labels),
            views,
            batch_size,
            model.seed,
            shuffle,
            steps_per_epoch=steps_per_epoch or steps,
            start=start,
            passes=passes,
        )
        return PreparedData(data, _first_views(model, images, views, labels), steps=steps)
    prepared = _from_pydataset(model, x, y)
    return prepared._replace(data=epoch_stream.skip_batches(prepared.data, start[1]))


def prepare_evaluation(model, x, y=None, *, batch_size):
    """As `training`, without dropping or shuffling; the views are the same each time."""
    batch_size = 32 if batch_size is None else batch_size
    if _is_view_arrays(x):
        views = _view_arrays(x)
        first = validation.validate_views(model, views, y)
        return PreparedData(ArrayDataset(views, y, batch_size), first)
    if is_array(x):
        from keras_ssl.data import pipeline

        x = pipeline.array_batches(
            make_element(*validation.validate_images(model, x, y)), batch_size
        )
        y = None
    if not is_dataset(x):
        return _from_pydataset(model, x, y)

    from keras_ssl.data import elements, pipeline

    reject_labels(y)
    if elements.has_view_structure(x):
        batch = validation.first_element(x)
        return PreparedData(pipeline.validate_batches(x), validation.validate_views(model, *batch))
    x = elements.image_and_label(x)
    images, labels = _checked_images(model, x)
    views = validation.choose_views(model, images)
    data = pipeline.for_evaluation(x, views, model.seed)
    return PreparedData(data, _first_views(model, images, views, labels))


def prepare_prediction(model, x, *, batch_size):
    """Checks the first batch of `x` and returns batches of images alone."""
    shape = image_shape(model.inference_model)
    if is_dataset(x):
        from keras_ssl.data import _options, elements

        if elements.has_view_structure(x):
            raise ValueError("`x` holds ready views; predict takes images, (B, H, W, C).")
        x = elements.image_and_label(x)
        first = validation.first_element(x)[0]
        check_batch(first, "x", shape)
        validation.validate_patch_size(model.inference_model, first, "x")
        return _options.without_autotune(x.map(lambda images, *labels: images))
    if is_array(x):
        images = np.asarray(x)
        check_batch(images, "x", shape)
        validation.validate_patch_size(model.inference_model, images, "x")
        return ArrayDataset(images, None, 32 if batch_size is None else batch_size)
    if isinstance(x, keras.utils.PyDataset):
        return x
    raise TypeError(
        "`x` must be a tf.data.Dataset of image batches, an array of images (N, H, W, C) or a "
        f"keras.utils.PyDataset; received {type(x).__name__}."
    )


def iter_image_batches(data):
    """Yields the batches of what `prediction` returned."""
    if is_dataset(data):
        yield from data
    else:
        for index in range(data.num_batches):
            batch = data[index]
            yield batch[0] if isinstance(batch, tuple) else batch


def split_validation(x, y, fraction):
    """Splits the last `fraction` off arrays, as Keras does with `validation_split`."""
    if not is_array(x):
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


def unpack_validation_data(validation_data):
    """Reads `validation_data` as `(x, y)`."""
    if not isinstance(validation_data, (tuple, list)):
        return validation_data, None
    if len(validation_data) == 3 and np.ndim(validation_data[2]) == 1:
        raise ValueError(
            "`validation_data` of arrays must be (x, y); it has a third part, and weights of "
            "images are not supported."
        )
    if len(validation_data) == 2 and (
        np.ndim(validation_data[1]) in (1, 2) or _is_view_arrays(validation_data[0])
    ):
        return tuple(validation_data)
    return validation_data, None


def _training_dataset(model, x, y, steps_per_epoch, start, passes):
    from keras_ssl.data import elements, epoch_counter, pipeline

    reject_labels(y)
    if steps_per_epoch is None and elements.is_endless(x):
        raise ValueError("`x` repeats forever: pass `steps_per_epoch`, or drop the repeat().")
    if elements.has_view_structure(x):
        batch = validation.first_element(x)
        first = validation.validate_views(model, *batch)
        rows = len(batch[0][0])
        x, batch_size = elements.drop_partial_batches(x, rows)
        validation.validate_batch_size(model, rows, batch_size)
        x, epoch, steps = epoch_stream.resume_dataset(model, x, steps_per_epoch, start, passes)
        return PreparedData(pipeline.validate_batches(x), first, epoch, steps=steps)
    x = elements.image_and_label(x)
    images, labels = _checked_images(model, x)
    x, batch_size = elements.drop_partial_batches(x, len(images))
    validation.validate_batch_size(model, len(images), batch_size)
    views = validation.choose_views(model, images)
    batches = None if epoch_counter.find_counters(x) else epoch_stream.num_batches(x)
    steps, passes = epoch_stream.can_stream_epochs(model, steps_per_epoch, batches, passes)
    data = pipeline.from_batches(
        x,
        views,
        model.seed,
        steps_per_epoch=steps_per_epoch or steps,
        start=start,
        passes=passes,
    )
    return PreparedData(data, _first_views(model, images, views, labels), steps=steps)


def _checked_images(model, dataset):
    return validation.validate_images(model, *validation.first_element(dataset))


def _first_views(model, images, views, labels):
    """Makes and checks the views of two images."""
    from keras_ssl.data import pipeline

    made = pipeline.make_views_eagerly(images[:2], views, model.seed)
    few = None if labels is None else labels[:2]
    return validation.validate_views(model, made, few, name="views")


def _from_pydataset(model, x, y):
    """Passes on what yields ready views by itself."""
    if isinstance(x, keras.utils.PyDataset) and y is None:
        batch = x[0]
        if not isinstance(batch, tuple) or not isinstance(batch[0], (tuple, list)):
            raise ValueError(
                "`x` is a PyDataset of plain images: it must give ready views, "
                "((view_1, ..., view_V),), labels optional. Plain images go into a "
                "tf.data.Dataset or an array."
            )
        validation.validate_divisible(model, len(batch[0][0]))
        return PreparedData(x, validation.validate_views(model, *batch))
    raise TypeError(f"`x` must be {ACCEPTED}; received {type(x).__name__}.")


def reject_labels(y):
    """Raises for labels beside a dataset."""
    if y is not None:
        raise ValueError("`y` belongs with arrays; a dataset carries labels in its elements.")


def make_element(images, labels):
    """The element of a dataset of images, with labels where there are any."""
    return (images,) if labels is None else (images, labels)


def is_dataset(x):
    """Whether `x` is a `tf.data.Dataset`, asked without TensorFlow."""
    return hasattr(x, "element_spec")


def is_array(x):
    """Whether `x` is one array or tensor."""
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _is_view_arrays(x):
    if isinstance(x, (tuple, list)) and len(x) == 1 and isinstance(x[0], (tuple, list)):
        return _is_view_arrays(x[0])
    return isinstance(x, (tuple, list)) and len(x) > 0 and all(is_array(view) for view in x)


def _view_arrays(x):
    views = x[0] if isinstance(x[0], (tuple, list)) else x
    return tuple(np.asarray(view) for view in views)
