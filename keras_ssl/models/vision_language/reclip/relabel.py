"""What ReCLIP does at the start of an epoch: it looks at all images, and labels them anew."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ssl.models.vision_language.reclip.label_propagation import unit
from keras_ssl.training.fit import sources, validation


class Seen(NamedTuple):
    """All images as both copies encode them.

    Attributes:
        by_text_copy: `(N, D)`, rows of length 1, of the copy whose text is trained.
        by_image_copy: `(N, D)`, of the copy whose image encoder is trained.
        keys: N keys, what tells the images apart.
        truth: Int array `(N,)`, the labels beside them, or None.
    """

    by_text_copy: Any
    by_image_copy: Any
    keys: list
    truth: Any


class Data(NamedTuple):
    """What ReCLIP is fitted to.

    Attributes:
        batches: Dataset of all images in batches, `(images[, labels])`.
        labels: `data.relabeling.Labels`, the present ones.
    """

    batches: Any
    labels: Any


def every_batch(model, x, y, batch_size):
    """Checks the first batch of `x` and returns a dataset of all its images in batches.

    Raises:
        TypeError: If `x` is neither a dataset nor an array.
        ValueError: If it does not hold images that the model takes.
    """
    from keras_ssl.data import elements, pipeline

    if sources.is_array(x):
        images, labels = np.asarray(x), validation.check_labels(y, len(x))
        x = pipeline.array_batches(sources.element(images, labels), batch_size)
    elif sources.is_dataset(x):
        sources.refuse_labels(y)
        x = elements.image_and_label(x)
    else:
        raise TypeError(
            "`x` must be a tf.data.Dataset of image batches or an array of images (N, H, W, C); "
            f"received {type(x).__name__}."
        )
    images = validation.first_of(x)[0]
    sources.check_batch(images, "x", sources.image_shape(model.network))
    return pipeline.checked(x)


def training(model, x, y, *, batch_size, shuffle, start):
    """Returns `inputs.Prepared`: full batches of images with the labels that they have by then."""
    from keras_ssl.data import elements, pipeline, relabeling

    batch_size = 32 if batch_size is None else batch_size
    batches = every_batch(model, x, y, batch_size)
    first = validation.first_of(batches)[0]
    if sources.is_array(x):
        validation.check_rows(model, len(x), batch_size)
        order = {"steps_per_epoch": None, "start": (start[0], 0)}
        same = (lambda images, seed: images,)
        images = pipeline.from_arrays((x,), same, batch_size, model.seed, shuffle, **order)
        images = images.map(lambda views: views[0])
    else:
        images, size = elements.full_batches(batches, len(first))
        validation.check_rows(model, len(first), size)
        images = images.map(lambda images, *labels: images)
    labels = relabeling.Labels()
    data = relabeling.with_labels(images, labels)
    few = (first[:2], np.zeros(len(first[:2]), "int32"))
    return sources.Prepared(data, few, facts=Data(batches, labels))


def see(model, batches):
    """Encodes all images by both copies of a ReCLIP. Returns `Seen`."""
    from keras_ssl.data import relabeling

    found, keys, truth = ([], []), [], []
    for images, *labels in batches.as_numpy_iterator():
        for rows, copy in zip(found, (model.text_copy, model.image_copy), strict=True):
            encoded = model.outputs(copy.image_tower, images, training=False)
            rows.append(unit(ops.convert_to_numpy(encoded)))
        keys += relabeling.keys_of(images)
        truth += [np.ravel(each) for each in labels]
    return Seen(*map(np.concatenate, found), keys, np.concatenate(truth) if truth else None)


class Relabel(keras.callbacks.Callback):
    """Labels all images at the start of each epoch, and adds to the logs what that was like."""

    def __init__(self, method):
        super().__init__()
        self.method, self.logs = method, {}

    def on_epoch_begin(self, epoch, logs=None):
        """Labels anew."""
        batches, labels = self.method.data
        seen = see(self.method, batches)
        by_text, by_image = self.method.labels_of(seen)
        self.method.move_centroids(seen.by_image_copy, by_image)
        agree = by_text == by_image
        labels.set(seen.keys, np.where(agree, by_text, -1))
        self.logs = {"agreement": float(agree.mean())}
        if seen.truth is not None:
            right = by_text[agree] == seen.truth[agree]
            self.logs["pseudo_label_accuracy"] = float(right.mean()) if len(right) else 0.0

    def on_epoch_end(self, epoch, logs=None):
        """Adds to the logs, and lets `predict` read what was trained."""
        self.method.take_text()
        if logs is not None:
            logs.update(self.logs)
