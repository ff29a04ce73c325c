"""Kinds of input data. `open_source` is the only place that tells them apart.

A source validates its first batch and yields batches, from any epoch and step. On JAX, those of
arrays and of a `keras.utils.PyDataset` need no data pipeline, and so no TensorFlow, unless a view
does.
"""

import keras
import numpy as np

from keras_ssl.data.semi_supervised_arrays import SemiSupervisedBatches
from keras_ssl.training.fit.array_sources import ArraySource, ViewArraySource
from keras_ssl.training.fit.dataset_sources import (
    DatasetSource,
    PyDatasetSource,
    SemiSupervisedArraySource,
)
from keras_ssl.training.fit.source import EpochPlan, PreparedData, UnknownSource

__all__ = [
    "EpochPlan",
    "PreparedData",
    "iter_image_batches",
    "num_batches",
    "open_source",
    "split_validation",
    "unpack_validation_data",
]


def open_source(x, y=None):
    """Returns the source of `x` (and of labels `y`).

    Raises:
        TypeError: If `x` is of no known kind.
        ValueError: If `y` is given together with a dataset, which carries its own labels.
    """
    if hasattr(x, "element_spec"):  # a tf.data.Dataset; TensorFlow may be absent
        source = DatasetSource(x)
    elif isinstance(x, SemiSupervisedBatches):
        source = SemiSupervisedArraySource(x)
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


def _is_array(x):
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _view_arrays(x):
    """Returns a tuple of arrays, or None if `x` is not a sequence of arrays."""
    if isinstance(x, (tuple, list)) and len(x) == 1 and isinstance(x[0], (tuple, list)):
        return _view_arrays(x[0])
    if isinstance(x, (tuple, list)) and x and all(map(_is_array, x)):
        return tuple(np.asarray(view) for view in x)
    return None
