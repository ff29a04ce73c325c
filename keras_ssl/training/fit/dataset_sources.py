"""Datasets as input data: `tf.data.Dataset` and `keras.utils.PyDataset`."""

from keras_ssl.data import _options, batch_checks, elements, epoch_counter, pipeline
from keras_ssl.images import check_batch, image_shape
from keras_ssl.training.fit import epoch_stream, validation
from keras_ssl.training.fit.array_dataset import (
    CopiedDataset,
    SkippedDataset,
    ValidatedDataset,
)
from keras_ssl.training.fit.device_views import first_views, makes_views_on_device
from keras_ssl.training.fit.source import PreparedData, Source, validate_network_input


class DatasetSource(Source):
    """A `tf.data.Dataset` of image batches or of ready views."""

    has_known_position = True

    def prepare_training(self, model, plan):
        self.check_finite(plan)
        if elements.has_view_structure(self.x):
            batch = self.first_element()
            first = validation.validate_views(model, *batch)
            rows = len(batch[0][0])
            dataset, batch_size = elements.drop_partial_batches(self.x, rows)
            validation.validate_batch_size(model, rows, batch_size)
            dataset, epoch = epoch_stream.resume_dataset(dataset, plan)
            return PreparedData(batch_checks.validate_batches(dataset), first, epoch)
        dataset = elements.image_and_label(self.x)
        images, labels = validation.validate_images(model, *elements.first_element(dataset))
        dataset, batch_size = elements.drop_partial_batches(dataset, len(images))
        validation.validate_batch_size(model, len(images), batch_size)
        views = validation.choose_views(model, images)
        data = pipeline.from_batches(
            dataset,
            None if makes_views_on_device(model, views) else views,
            model.seed,
            steps_per_epoch=plan.steps_per_epoch,
            start=(plan.epoch, plan.step),
        )
        return PreparedData(data, first_views(model, images, views, labels))

    def prepare_evaluation(self, model, batch_size):
        if elements.has_view_structure(self.x):
            first = validation.validate_views(model, *self.first_element())
            return PreparedData(batch_checks.validate_batches(self.x), first)
        dataset = elements.image_and_label(self.x)
        images, labels = validation.validate_images(model, *elements.first_element(dataset))
        views = validation.choose_views(model, images)
        host_views = None if makes_views_on_device(model, views) else views
        data = pipeline.for_evaluation(dataset, host_views, model.seed)
        return PreparedData(data, first_views(model, images, views, labels))

    def prepare_prediction(self, model, batch_size):
        if elements.has_view_structure(self.x):
            raise ValueError("`x` holds ready views; predict takes images, (B, H, W, C).")
        dataset = elements.image_and_label(self.x)
        validate_network_input(model, elements.first_element(dataset)[0])
        return _options.without_autotune(dataset.map(lambda images, *labels: images))

    def image_batches(self, model, batch_size):
        dataset = elements.image_and_label(self.x)
        images = elements.first_element(dataset)[0]
        check_batch(images, "x", image_shape(model.inference_model))
        return batch_checks.validate_batches(dataset)

    def training_images(self, model, plan):
        dataset = self.image_batches(model, plan.batch_size)
        size = len(elements.first_element(dataset)[0])
        dataset, batch_size = elements.drop_partial_batches(dataset, size)
        validation.validate_batch_size(model, size, batch_size)
        return dataset.map(lambda images, *labels: images)

    def labeled_batches(self, validate, pipeline_check, batch_size):
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
        return elements.first_element(self.x)

    def info(self):
        """Returns the `DatasetInfo` of the data, or None."""
        counters = epoch_counter.find_counters(self.x)
        return next((counter.info for counter in counters if counter.info is not None), None)

    def read_epochs(self, plan, first, validate, pipeline_check):
        """Returns `PreparedData` of the elements, all of them checked."""
        self.check_finite(plan)
        dataset = elements.drop_short_batches(self.x, first)
        dataset, epoch = epoch_stream.resume_dataset(dataset, plan)
        return PreparedData(pipeline_check(dataset), first, epoch)

    def check_finite(self, plan):
        """Raises ValueError for a dataset that never ends, unless the steps are given."""
        if plan.steps_per_epoch is None and elements.is_endless(self.x):
            raise ValueError("`x` repeats forever: pass `steps_per_epoch`, or drop the repeat().")


class PyDatasetSource(Source):
    """A `keras.utils.PyDataset`, whose elements are what a step takes."""

    def __init__(self, x, y=None):
        super().__init__(x, y)
        self.batches = CopiedDataset(x)

    def prepare_training(self, model, plan):
        prepared = self.prepare_evaluation(model, plan.batch_size)
        return prepared._replace(data=skip_batches(prepared.data, plan.step))

    def prepare_evaluation(self, model, batch_size):
        batch = self.first_element()
        if not isinstance(batch, tuple) or not isinstance(batch[0], (tuple, list)):
            raise ValueError(
                "`x` is a PyDataset of plain images. It must yield ready views, "
                "((view_1, ..., view_V),), optionally with labels. Pass plain images as a "
                "tf.data.Dataset or an array."
            )
        validation.validate_divisible(model, len(batch[0][0]))
        return PreparedData(self.batches, validation.validate_views(model, *batch))

    def prepare_prediction(self, model, batch_size):
        return self.batches

    def labeled_batches(self, validate, pipeline_check, batch_size):
        data = ValidatedDataset(self.batches, lambda batch: validate(*batch))
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
        data = ValidatedDataset(self.batches, validate)
        return PreparedData(skip_batches(data, plan.step), data[0])


class SemiSupervisedArraySource(PyDatasetSource):
    """The result of `data.semi_supervised` for arrays, whose views the training step makes."""

    has_known_position = True

    def info(self):
        return self.x.info

    def read_epochs(self, plan, first, validate, pipeline_check):
        # The arrays are checked already.
        number = None
        if plan.steps_per_epoch is not None:
            number = plan.epoch * plan.steps_per_epoch
        data = skip_batches(self.x.for_step(plan.epoch, number), plan.step)
        return PreparedData(data, first, make_views=self.x.make_views)


def skip_batches(dataset, batches):
    """Returns an epoch of a `keras.utils.PyDataset` without its first batches."""
    return SkippedDataset(dataset, batches) if batches else dataset
