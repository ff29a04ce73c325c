"""Assertions on the batches of a dataset, which run while training reads them."""

from keras_ssl import _tensorflow as tf
from keras_ssl.data import elements
from keras_ssl.data._options import without_autotune


def validate_batches(dataset):
    """Adds assertions to a dataset of batches `(images or views, ...)`."""

    def validate(index, element):
        images = tf.nest.map_structure(lambda x: elements.assert_images(x, index), element[0])
        return (images, *element[1:])

    return _map_validation(dataset, validate)


def validate_semi_supervised_batches(dataset, classes, indices=None):
    """Adds assertions to a dataset of batches of labeled and unlabeled images.

    Args:
        dataset: Dataset with elements as `data.semi_supervised` returns them.
        classes: Int, the number of classes.
        indices: Int, upper bound of `"index"`, or None if any index is valid.
    """

    def validate(index, element):
        parts, labels = element
        images = {
            name: elements.assert_images(parts[name], index)
            for name in ("labeled", "weak", "strong")
        }
        if labels.shape.rank == 2:  # a column
            labels = tf.squeeze(labels, -1)
        if indices is not None:
            parts["index"] = elements.assert_labels(parts["index"], indices, index, "`index`")
        return {**parts, **images}, elements.assert_labels(labels, classes, index)

    return _map_validation(dataset, validate)


def validate_labeled_batches(dataset, classes):
    """Adds assertions to a dataset of batches `(images, labels)`."""

    def validate(index, element):
        images, labels = element
        labels = elements.assert_labels(labels, classes, index)
        return elements.assert_images(images, index), labels

    return _map_validation(dataset, validate)


def _map_validation(dataset, validate):
    validated = dataset.enumerate().map(validate, num_parallel_calls=tf.data.AUTOTUNE)
    return without_autotune(validated)
