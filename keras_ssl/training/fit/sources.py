"""Kinds of input data. `open_source` is the only place that tells them apart.

A source knows how to validate its first batch and how to yield batches of ready views, from any
epoch and step. Plain images need the data pipeline, and so TensorFlow; ready views in arrays or in
a `keras.utils.PyDataset` do not.
"""

import dataclasses
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_ssl.images import check_batch, image_shape
from keras_ssl.training.fit import epoch_stream, validation
from keras_ssl.training.fit.array_dataset import ArrayDataset, SkippedDataset, ValidatedDataset

ACCEPTED = (
    "a tf.data.Dataset of image batches or ready views, an array of images (N, H, W, C), a tuple "
    "of arrays (one per view), or a keras.utils.PyDataset of ready views"
)


class PreparedData(NamedTuple):
    """Data for Keras's `fit` or `evaluate`.

    Attributes:
        data: `tf.data.Dataset` or `keras.utils.PyDataset` of what a step takes.
        first: Views of two images, or the first batch, to trace the step with; None if unknown.
        start_epoch: Int, the epoch at which data that continues from epoch to epoch begins; None
            if each epoch is a new iteration.
        info: What the data set knows about itself, `data.semi_supervised.DatasetInfo`, or None.
    """

    data: Any
    first: Any = None
    start_epoch: int | None = None
    info: Any = None


@dataclasses.dataclass(frozen=True)
class EpochPlan:
    """How epochs are read.

    Attributes:
        batch_size: Int, for arrays; 32 if None.
        shuffle: Bool, for arrays.
        steps_per_epoch: Int or None, as in `fit`.
        epoch: Int, the epoch to start with.
        step: Int, batches of that epoch to skip.
    """

    batch_size: int | None
    shuffle: bool
    steps_per_epoch: int | None
    epoch: int = 0
    step: int = 0

    def starting_at(self, epoch, step=0):
        """Returns the plan that starts at a step of an epoch."""
        return dataclasses.replace(self, epoch=epoch, step=step)


def open_source(x, y=None):
    """Returns the source of `x` (and of labels `y`).

    Raises:
        TypeError: If `x` is of no known kind.
        ValueError: If `y` is given together with a dataset, which carries its own labels.
    """
    if hasattr(x, "element_spec"):  # a tf.data.Dataset; TensorFlow may be absent
        source = DatasetSource(x)
    elif isinstance(x, keras.utils.PyDataset):
        source = PyDatasetSource(x)
    elif _is_array(x):
        return ArraySource(x, y)
    elif _view_arrays(x):
        return ViewArraySource(_view_arrays(x), y)
    else:
        return UnknownSource(x)
    if y is not None:
        raise ValueError("`y` is for arrays; a dataset carries labels in its elements.")
    return source


class Source:
    """A kind of input. Methods that a kind does not support raise a TypeError that says so.

    Args:
        x: What `fit`, `evaluate` or `predict` received.
        y: Labels or captions of arrays, or None.
    """

    is_dataset = False  # whether it is a `tf.data.Dataset`

    def __init__(self, x, y=None):
        self.x, self.y = x, y

    def prepare_training(self, model, plan):
        """Checks the first batch; returns `PreparedData` of full batches of ready views."""
        self.reject(ACCEPTED)

    def prepare_evaluation(self, model, batch_size):
        """As `prepare_training`, without dropping or shuffling; views are the same each time."""
        self.reject(ACCEPTED)

    def prepare_prediction(self, model, batch_size):
        """Checks the first batch; returns a dataset of images."""
        self.reject(
            "a tf.data.Dataset of image batches, an array of images (N, H, W, C) or a "
            "keras.utils.PyDataset"
        )

    def image_batches(self, model, batch_size):
        """Checks the first batch; returns a `tf.data.Dataset` of `(images[, labels])`."""
        self.reject("a tf.data.Dataset of image batches or an array of images (N, H, W, C)")

    def training_images(self, model, plan):
        """Checks the first batch; returns a `tf.data.Dataset` of full batches of images alone."""
        self.reject("a tf.data.Dataset of image batches or an array of images (N, H, W, C)")

    def labeled_batches(self, validate, pipeline_check, batch_size):
        """Returns `PreparedData` of `(images, labels)` whose batches are checked.

        Args:
            validate: Function of images and labels as arrays; raises, or returns both.
            pipeline_check: Function that adds the same check to a `tf.data.Dataset`.
            batch_size: Int or None, for arrays.
        """
        self.reject(
            "a tf.data.Dataset of (images, labels) or an array of images, with its labels in `y`"
        )

    def ready_elements(self, accepted):
        """Returns the source if its elements are what a training step takes, not arrays."""
        self.reject(f"a tf.data.Dataset or a keras.utils.PyDataset of elements {accepted}")

    def tokenized(self, tokenize, tokenize_dataset):
        """Returns the source with captions as token ids.

        Args:
            tokenize: Function of an array of captions to token ids.
            tokenize_dataset: Function of a `tf.data.Dataset`, likewise.
        """
        return self

    def reject(self, accepted):
        """Raises the TypeError for a kind that is not supported."""
        raise TypeError(f"`x` must be {accepted}; received {type(self.x).__name__}.")


class UnknownSource(Source):
    """Anything else: all methods raise."""


class ArraySource(Source):
    """One array of images `(N, H, W, C)`."""

    def prepare_training(self, model, plan):
        from keras_ssl.data import pipeline

        images, labels = validation.validate_images(model, self.x, self.y)
        batch_size = _batch_size(plan.batch_size)
        validation.validate_batch_size(model, len(images), batch_size)
        views = validation.choose_views(model, images)
        data = pipeline.from_arrays(
            make_element(images, labels),
            views,
            batch_size,
            model.seed,
            plan.shuffle,
            steps_per_epoch=plan.steps_per_epoch,
            start=(plan.epoch, plan.step),
        )
        return PreparedData(data, _first_views(model, images, views, labels))

    def prepare_evaluation(self, model, batch_size):
        from keras_ssl.data import pipeline

        element = make_element(*validation.validate_images(model, self.x, self.y))
        batches = pipeline.array_batches(element, _batch_size(batch_size))
        return DatasetSource(batches).prepare_evaluation(model, batch_size)

    def prepare_prediction(self, model, batch_size):
        images = np.asarray(self.x)
        _validate_network_input(model, images)
        return ArrayDataset(images, None, _batch_size(batch_size))

    def image_batches(self, model, batch_size):
        from keras_ssl.data import pipeline

        images, labels = np.asarray(self.x), validation.validate_labels(self.y, len(self.x))
        batches = pipeline.array_batches(make_element(images, labels), batch_size)
        return DatasetSource(batches).image_batches(model, batch_size)

    def training_images(self, model, plan):
        from keras_ssl.data import pipeline

        batch_size = _batch_size(plan.batch_size)
        validation.validate_batch_size(model, len(self.x), batch_size)
        views = pipeline.from_arrays(
            (self.x,),
            (lambda images, seed: images,),
            batch_size,
            model.seed,
            plan.shuffle,
            steps_per_epoch=None,
            start=(plan.epoch, 0),
        )
        return views.map(lambda views: views[0])

    def labeled_batches(self, validate, pipeline_check, batch_size):
        images, labels = validate(self.x, self.y)
        return PreparedData(
            ArrayDataset(images, labels, _batch_size(batch_size)), (images[:2], labels[:2])
        )

    def tokenized(self, tokenize, tokenize_dataset):
        return type(self)(self.x, None if self.y is None else tokenize(len(self.x), self.y))


class ViewArraySource(Source):
    """A tuple of arrays, one per view."""

    def prepare_training(self, model, plan):
        first = validation.validate_views(model, self.x, self.y)
        batch_size = _batch_size(plan.batch_size)
        validation.validate_batch_size(model, len(self.x[0]), batch_size)
        data = ArrayDataset(
            self.x,
            self.y,
            batch_size,
            seed=model.seed,
            shuffle=plan.shuffle,
            drop_last=True,
            epoch=plan.epoch,
        )
        return PreparedData(_skip(data, plan.step), first)

    def prepare_evaluation(self, model, batch_size):
        first = validation.validate_views(model, self.x, self.y)
        return PreparedData(ArrayDataset(self.x, self.y, _batch_size(batch_size)), first)

    def tokenized(self, tokenize, tokenize_dataset):
        return type(self)(self.x, None if self.y is None else tokenize(len(self.x[0]), self.y))


class PyDatasetSource(Source):
    """A `keras.utils.PyDataset`, whose elements are what a step takes."""

    def prepare_training(self, model, plan):
        prepared = self.prepare_evaluation(model, plan.batch_size)
        return prepared._replace(data=_skip(prepared.data, plan.step))

    def prepare_evaluation(self, model, batch_size):
        batch = self.first_element()
        if not isinstance(batch, tuple) or not isinstance(batch[0], (tuple, list)):
            raise ValueError(
                "`x` is a PyDataset of plain images. It must yield ready views, "
                "((view_1, ..., view_V),), optionally with labels. Pass plain images as a "
                "tf.data.Dataset or an array."
            )
        validation.validate_divisible(model, len(batch[0][0]))
        return PreparedData(self.x, validation.validate_views(model, *batch))

    def prepare_prediction(self, model, batch_size):
        return self.x

    def labeled_batches(self, validate, pipeline_check, batch_size):
        data = ValidatedDataset(self.x, lambda batch: validate(*batch))
        return PreparedData(data, data[0])

    def ready_elements(self, accepted):
        return self

    # Of sources whose elements are ready: see `semi_supervised_inputs`.

    def first_element(self):
        """Returns the first element."""
        return self.x[0]

    def info(self):
        """Returns the `DatasetInfo` of the data, or None."""
        return None

    def read_epochs(self, plan, first, validate, pipeline_check):
        """Returns `PreparedData` of the elements, all of them checked."""
        data = ValidatedDataset(self.x, validate)
        return PreparedData(_skip(data, plan.step), data[0])


class DatasetSource(Source):
    """A `tf.data.Dataset` of image batches or of ready views."""

    is_dataset = True

    def prepare_training(self, model, plan):
        from keras_ssl.data import elements, pipeline

        self.check_finite(plan)
        if elements.has_view_structure(self.x):
            batch = self.first_element()
            first = validation.validate_views(model, *batch)
            rows = len(batch[0][0])
            dataset, batch_size = elements.drop_partial_batches(self.x, rows)
            validation.validate_batch_size(model, rows, batch_size)
            dataset, epoch = epoch_stream.resume_dataset(dataset, plan)
            return PreparedData(pipeline.validate_batches(dataset), first, epoch)
        dataset = elements.image_and_label(self.x)
        images, labels = validation.validate_images(model, *elements.first_element(dataset))
        dataset, batch_size = elements.drop_partial_batches(dataset, len(images))
        validation.validate_batch_size(model, len(images), batch_size)
        views = validation.choose_views(model, images)
        data = pipeline.from_batches(
            dataset,
            views,
            model.seed,
            steps_per_epoch=plan.steps_per_epoch,
            start=(plan.epoch, plan.step),
        )
        return PreparedData(data, _first_views(model, images, views, labels))

    def prepare_evaluation(self, model, batch_size):
        from keras_ssl.data import elements, pipeline

        if elements.has_view_structure(self.x):
            first = validation.validate_views(model, *self.first_element())
            return PreparedData(pipeline.validate_batches(self.x), first)
        dataset = elements.image_and_label(self.x)
        images, labels = validation.validate_images(model, *elements.first_element(dataset))
        views = validation.choose_views(model, images)
        data = pipeline.for_evaluation(dataset, views, model.seed)
        return PreparedData(data, _first_views(model, images, views, labels))

    def prepare_prediction(self, model, batch_size):
        from keras_ssl.data import _options, elements

        if elements.has_view_structure(self.x):
            raise ValueError("`x` holds ready views; predict takes images, (B, H, W, C).")
        dataset = elements.image_and_label(self.x)
        _validate_network_input(model, elements.first_element(dataset)[0])
        return _options.without_autotune(dataset.map(lambda images, *labels: images))

    def image_batches(self, model, batch_size):
        from keras_ssl.data import elements, pipeline

        dataset = elements.image_and_label(self.x)
        images = elements.first_element(dataset)[0]
        check_batch(images, "x", image_shape(model.inference_model))
        return pipeline.validate_batches(dataset)

    def training_images(self, model, plan):
        from keras_ssl.data import elements

        dataset = self.image_batches(model, plan.batch_size)
        size = len(elements.first_element(dataset)[0])
        dataset, batch_size = elements.drop_partial_batches(dataset, size)
        validation.validate_batch_size(model, size, batch_size)
        return dataset.map(lambda images, *labels: images)

    def labeled_batches(self, validate, pipeline_check, batch_size):
        from keras_ssl.data import elements

        spec = self.x.element_spec
        if isinstance(spec, tuple) and isinstance(spec[0], (dict, tuple)):
            raise ValueError(
                "`x` holds elements for `fit`; evaluation takes batches of (images, labels)."
            )
        dataset = elements.image_and_label(self.x)
        first = validate(*elements.first_element(dataset))
        return PreparedData(pipeline_check(dataset), first)

    def tokenized(self, tokenize, tokenize_dataset):
        return type(self)(tokenize_dataset(self.x))

    def ready_elements(self, accepted):
        return self

    def first_element(self):
        """Returns the first element as arrays."""
        from keras_ssl.data import elements

        return elements.first_element(self.x)

    def info(self):
        """Returns the `DatasetInfo` of the data, or None."""
        from keras_ssl.data import epoch_counter

        counters = epoch_counter.find_counters(self.x)
        return next((counter.info for counter in counters if counter.info is not None), None)

    def read_epochs(self, plan, first, validate, pipeline_check):
        """Returns `PreparedData` of the elements, all of them checked."""
        from keras_ssl.data import elements

        self.check_finite(plan)
        dataset = elements.drop_short_batches(self.x, first)
        dataset, epoch = epoch_stream.resume_dataset(dataset, plan)
        return PreparedData(pipeline_check(dataset), first, epoch)

    def check_finite(self, plan):
        """Raises ValueError for a dataset that never ends, unless the steps are given."""
        from keras_ssl.data import elements

        if plan.steps_per_epoch is None and elements.is_endless(self.x):
            raise ValueError("`x` repeats forever: pass `steps_per_epoch`, or drop the repeat().")


def make_element(images, labels):
    """Returns the element of a dataset of images, with labels if there are any."""
    return (images,) if labels is None else (images, labels)


def num_batches(data):
    """Returns the batches of an epoch of a dataset; None if unknown."""
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches
    batches = int(data.cardinality())
    return batches if batches > 0 else None


def iter_image_batches(data):
    """Yields the batches of what `prepare_prediction` returned."""
    if not isinstance(data, keras.utils.PyDataset):
        yield from data
        return
    for index in range(data.num_batches):
        batch = data[index]
        yield batch[0] if isinstance(batch, tuple) else batch


def split_validation(x, y, fraction):
    """Splits the last `fraction` off arrays, as Keras does with `validation_split`.

    Returns:
        `(x, y)` for training, and the validation data.
    """
    if not _is_array(x):
        raise ValueError(
            "`validation_split` supports arrays of images only. Pass `validation_data` with a "
            f"{type(x).__name__}."
        )
    if not 0 < fraction < 1:
        raise ValueError(f"`validation_split` must lie between 0 and 1, received {fraction}.")
    index = int(len(x) * (1 - fraction))
    if index in (0, len(x)):
        raise ValueError(f"`validation_split={fraction}` leaves one part of {len(x)} images empty.")
    if y is None:
        return (x[:index], None), x[index:]
    return (x[:index], y[:index]), (x[index:], y[index:])


def unpack_validation_data(validation_data):
    """Returns `validation_data` as `(x, y)`."""
    if not isinstance(validation_data, (tuple, list)):
        return validation_data, None
    if len(validation_data) == 3 and np.ndim(validation_data[2]) == 1:
        raise ValueError(
            "`validation_data` of arrays must be (x, y). Received a third part: sample weights are "
            "not supported."
        )
    if len(validation_data) == 2 and (
        np.ndim(validation_data[1]) in (1, 2) or _view_arrays(validation_data[0])
    ):
        return tuple(validation_data)
    return validation_data, None


def _batch_size(batch_size):
    return 32 if batch_size is None else batch_size  # Keras's default


def _skip(dataset, batches):
    return SkippedDataset(dataset, batches) if batches else dataset


def _validate_network_input(model, images):
    check_batch(images, "x", image_shape(model.inference_model))
    validation.validate_patch_size(model.inference_model, images, "x")


def _first_views(model, images, views, labels):
    """Makes and checks the views of two images."""
    from keras_ssl.data import pipeline

    first_views = pipeline.make_views_eagerly(images[:2], views, model.seed)
    labels = None if labels is None else labels[:2]
    return validation.validate_views(model, first_views, labels, name="views")


def _is_array(x):
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _view_arrays(x):
    """Returns a tuple of arrays, or None if `x` is not a sequence of arrays."""
    if isinstance(x, (tuple, list)) and len(x) == 1 and isinstance(x[0], (tuple, list)):
        return _view_arrays(x[0])
    if isinstance(x, (tuple, list)) and x and all(map(_is_array, x)):
        return tuple(np.asarray(view) for view in x)
    return None
