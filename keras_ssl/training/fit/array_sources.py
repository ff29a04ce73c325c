"""Arrays as input data: images, or ready views."""

import keras
import numpy as np

from keras_ssl.data import pipeline
from keras_ssl.training.fit import validation
from keras_ssl.training.fit.array_dataset import ArrayDataset, PositionedArrayDataset
from keras_ssl.training.fit.dataset_sources import DatasetSource, skip_batches
from keras_ssl.training.fit.device_views import first_views, makes_views_on_device
from keras_ssl.training.fit.source import (
    PreparedData,
    Source,
    batch_size_or_default,
    make_element,
    validate_network_input,
)


class ArraySource(Source):
    """One array of images `(N, H, W, C)`."""

    def prepare_training(self, model, plan):
        images, labels = validation.validate_images(model, self.x, self.y)
        batch_size = batch_size_or_default(plan.batch_size)
        validation.validate_batch_size(model, len(images), batch_size)
        views = validation.choose_views(model, images)
        first = first_views(model, images, views, labels)
        host_views = None if makes_views_on_device(model, views) else views
        if host_views is None and keras.backend.backend() == "jax":
            return PreparedData(self._positioned(model, images, labels, batch_size, plan), first)
        data = pipeline.from_arrays(
            make_element(images, labels),
            host_views,
            batch_size,
            model.seed,
            plan.shuffle,
            steps_per_epoch=plan.steps_per_epoch,
            start=(plan.epoch, plan.step),
        )
        return PreparedData(data, first)

    def _positioned(self, model, images, labels, batch_size, plan):
        """Returns the data that `pipeline.from_arrays` makes, without TensorFlow."""
        is_endless = plan.steps_per_epoch is not None
        data = PositionedArrayDataset(
            images,
            labels,
            batch_size,
            pipeline.TRAINING,
            first=plan.epoch * plan.steps_per_epoch if is_endless else None,
            seed=model.seed,
            shuffle=plan.shuffle,
            drop_last=True,
            epoch=plan.epoch,
        )
        return skip_batches(data, plan.step)

    def prepare_evaluation(self, model, batch_size):
        images, labels = validation.validate_images(model, self.x, self.y)
        views = validation.choose_views(model, images)
        if keras.backend.backend() == "jax" and makes_views_on_device(model, views):
            batch_size = batch_size_or_default(batch_size)
            data = PositionedArrayDataset(images, labels, batch_size, pipeline.EVALUATION)
            return PreparedData(data, first_views(model, images, views, labels))
        element = make_element(images, labels)
        batches = pipeline.array_batches(element, batch_size_or_default(batch_size))
        return DatasetSource(batches).prepare_evaluation(model, batch_size)

    def prepare_prediction(self, model, batch_size):
        images = np.asarray(self.x)
        validate_network_input(model, images)
        return ArrayDataset(images, None, batch_size_or_default(batch_size))

    def image_batches(self, model, batch_size):
        images, labels = np.asarray(self.x), validation.validate_labels(self.y, len(self.x))
        batches = pipeline.array_batches(make_element(images, labels), batch_size)
        return DatasetSource(batches).image_batches(model, batch_size)

    def training_images(self, model, plan):
        batch_size = batch_size_or_default(plan.batch_size)
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
            ArrayDataset(images, labels, batch_size_or_default(batch_size)),
            (images[:2], labels[:2]),
        )

    def tokenized(self, tokenize, tokenize_dataset):
        return type(self)(self.x, None if self.y is None else tokenize(len(self.x), self.y))


class ViewArraySource(Source):
    """A tuple of arrays, one per view."""

    def prepare_training(self, model, plan):
        first = validation.validate_views(model, self.x, self.y)
        batch_size = batch_size_or_default(plan.batch_size)
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
        return PreparedData(skip_batches(data, plan.step), first)

    def prepare_evaluation(self, model, batch_size):
        first = validation.validate_views(model, self.x, self.y)
        return PreparedData(ArrayDataset(self.x, self.y, batch_size_or_default(batch_size)), first)

    def tokenized(self, tokenize, tokenize_dataset):
        return type(self)(self.x, None if self.y is None else tokenize(len(self.x[0]), self.y))
