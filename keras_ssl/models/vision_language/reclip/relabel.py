"""What ReCLIP does at the start of an epoch: it looks at all images, and labels them anew."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ssl.numerics import normalize_rows
from keras_ssl.training.fit import sources


class EncodedImages(NamedTuple):
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


class AdaptationData(NamedTuple):
    """What ReCLIP is fitted to.

    Attributes:
        batches: Dataset of all images in batches, `(images[, labels])`.
        labels: `data.relabeling.Labels`, the present ones.
    """

    batches: Any
    labels: Any


def prepare_training(model, source, plan):
    """Returns `sources.PreparedData`: full batches of images with their current pseudo-labels."""
    from keras_ssl.data import relabeling

    batch_size = 32 if plan.batch_size is None else plan.batch_size
    batches = source.image_batches(model, batch_size)
    images = source.training_images(model, plan)
    labels = relabeling.LabelTable()
    data = relabeling.attach_labels(images, labels)
    first = next(batches.as_numpy_iterator())[0][:2]
    first = (first, np.zeros(len(first), "int32"))
    return sources.PreparedData(data, first, info=AdaptationData(batches, labels))


def encode_images(model, batches):
    """Encodes all images by both copies of a ReCLIP. Returns `Seen`."""
    from keras_ssl.data import relabeling

    found, keys, truth = ([], []), [], []
    for images, *labels in batches.as_numpy_iterator():
        for rows, copy in zip(found, (model.text_copy, model.image_copy), strict=True):
            encoded = model.forward(copy.image_tower, images, training=False)
            rows.append(normalize_rows(ops.convert_to_numpy(encoded)))
        keys += relabeling.image_digests(images)
        truth += [np.ravel(each) for each in labels]
    return EncodedImages(
        *map(np.concatenate, found), keys, np.concatenate(truth) if truth else None
    )


class Relabel(keras.callbacks.Callback):
    """Labels all images at the start of each epoch, and adds to the logs what that was like."""

    def __init__(self, method):
        super().__init__()
        self.method, self.logs = method, {}

    def on_epoch_begin(self, epoch, logs=None):
        """Labels anew."""
        batches, labels = self.method.data
        seen = encode_images(self.method, batches)
        by_text, by_image = self.method.assign_pseudo_labels(seen)
        self.method.update_class_means(seen.by_image_copy, by_image)
        agree = by_text == by_image
        labels.set(seen.keys, np.where(agree, by_text, -1))
        self.logs = {"agreement": float(agree.mean())}
        if seen.truth is not None:
            right = by_text[agree] == seen.truth[agree]
            self.logs["pseudo_label_accuracy"] = float(right.mean()) if len(right) else 0.0

    def on_epoch_end(self, epoch, logs=None):
        """Adds to the logs, and lets `predict` read what was trained."""
        self.method.refresh_text_weights()
        if logs is not None:
            logs.update(self.logs)
