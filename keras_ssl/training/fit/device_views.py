"""Where the views of a run are made: in the data pipeline, or in the training step."""

import keras
import numpy as np

from keras_ssl.data import pipeline
from keras_ssl.training.batch import Batch
from keras_ssl.training.fit import validation
from keras_ssl.views import device


def makes_views_on_device(model, views):
    """Returns whether the training step makes the views.

    Raises:
        ValueError: If it should, according to `compile`, but a view cannot.
    """
    host_views = device.find_host_views(views)
    if model.views_on == "device" and host_views:
        raise ValueError(
            '`views_on="device"` needs views that use keras.ops alone. The data pipeline must '
            f'make {host_views[0]!r}. Use `views_on="host"`; for a view of your own, set '
            "`runs_on_device = True` in its class."
        )
    if model.views_on is None:
        return keras.backend.backend() == "jax" and not host_views
    return model.views_on == "device"


def first_views(model, images, views, labels):
    """Makes and checks the views of two images."""
    images = images[:2]
    if keras.backend.backend() == "jax" and makes_views_on_device(model, views):
        position = np.full((len(images), 3), pipeline.TRAINING, "int32")
        batch = device.PositionedImages(images, position)
        made = device.make_views_compiled(batch, views, model.seed)
    else:
        made = pipeline.make_first_views(images, views, model.seed)
    labels = None if labels is None else labels[:2]
    return validation.validate_views(model, made, labels, name="views")


def unpack_batch(model, data):
    """Returns the `Batch` in the data of a step, whose views it makes if there are images alone."""
    if isinstance(data, tuple) and data and isinstance(data[0], device.PositionedImages):
        views = validation.views_for_size(model, tuple(data[0].images.shape)[1:3])
        data = (device.make_views(data[0], views, model.seed), *data[1:])
    return Batch.from_keras(data)
