"""Pseudo-labels of ReCLIP, assigned to all images at the start of each epoch."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ssl.numerics import normalize_rows
from keras_ssl.training.fit import sources


class EncodedImages(NamedTuple):
    """Embeddings of all images by both copies of a `ReCLIP`.

    Attributes:
        by_text_copy: `(N, D)`, of unit length, by the copy whose text encoder is trained.
        by_image_copy: `(N, D)`, of unit length, by the copy whose image encoder is trained.
        keys: List of N digests that identify the images.
        truth: Int array `(N,)`, true labels, or None.
    """

    by_text_copy: Any
    by_image_copy: Any
    keys: list
    truth: Any


class AdaptationData(NamedTuple):
    """Data that a `ReCLIP` is fitted to.

    Attributes:
        batches: Dataset of batches `(images[, labels])` with all images.
        labels: `data.relabeling.LabelTable` of the current pseudo-labels.
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
    """Returns the `EncodedImages` of all batches."""
    from keras_ssl.data import relabeling

    embeddings, keys, truth = ([], []), [], []
    for images, *labels in batches.as_numpy_iterator():
        for rows, copy in zip(embeddings, (model.text_copy, model.image_copy), strict=True):
            encoded = model.forward(copy.image_tower, images, training=False)
            rows.append(normalize_rows(ops.convert_to_numpy(encoded)))
        keys += relabeling.image_digests(images)
        truth += [np.ravel(column) for column in labels]
    return EncodedImages(
        *map(np.concatenate, embeddings), keys, np.concatenate(truth) if truth else None
    )


class Relabel(keras.callbacks.Callback):
    """Labels all images at the start of each epoch and logs the agreement of both copies.

    Args:
        reclip: The `ReCLIP` that is fitted.
    """

    def __init__(self, reclip):
        super().__init__()
        self.reclip, self.logs = reclip, {}

    def on_epoch_begin(self, epoch, logs=None):
        batches, labels = self.reclip.data
        encoded = encode_images(self.reclip, batches)
        by_text, by_image = self.reclip.assign_pseudo_labels(encoded)
        self.reclip.update_class_means(encoded.by_image_copy, by_image)
        agree = by_text == by_image
        labels.set(encoded.keys, np.where(agree, by_text, -1))
        self.logs = {"agreement": float(agree.mean())}
        if encoded.truth is not None:
            is_correct = by_text[agree] == encoded.truth[agree]
            accuracy = float(is_correct.mean()) if len(is_correct) else 0.0
            self.logs["pseudo_label_accuracy"] = accuracy

    def on_epoch_end(self, epoch, logs=None):
        """Adds to the logs and updates the classifier that `predict` uses."""
        self.reclip.refresh_text_weights()
        if logs is not None:
            logs.update(self.logs)
