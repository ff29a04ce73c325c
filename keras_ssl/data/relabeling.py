"""Labels that change between epochs, looked up by the pixels of the images."""

import hashlib

import numpy as np

from keras_ssl import _tensorflow as tf
from keras_ssl.data._options import without_autotune

NO_LABEL = -1


class LabelTable:
    """The current label of each image, independent of the order of images."""

    def __init__(self):
        self._by_digest = {}

    def set(self, digests, labels):
        """Replaces all labels.

        Args:
            digests: Sequence of N digests, from `image_digests`.
            labels: Int array `(N,)`, with `NO_LABEL` for images without a label.
        """
        self._by_digest = dict(zip(digests, labels.tolist(), strict=True))

    def lookup(self, images):
        """Returns the labels of images.

        Args:
            images: Array `(B, H, W, C)`.

        Returns:
            Int32 array `(B,)`, with `NO_LABEL` for unknown images.
        """
        labels = [self._by_digest.get(digest, NO_LABEL) for digest in image_digests(images)]
        return np.array(labels, "int32")


def image_digests(images):
    """Returns a digest of the pixels of each image."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


def attach_labels(dataset, table):
    """Maps a dataset of batches of images to `(images, current labels)`.

    Args:
        dataset: `tf.data.Dataset` of `(B, H, W, C)`.
        table: `LabelTable`, read for each batch.
    """

    def attach(images):
        labels = tf.numpy_function(table.lookup, [images], tf.int32, stateful=True)
        return images, tf.ensure_shape(labels, (images.shape[0],))

    return without_autotune(dataset.map(attach, num_parallel_calls=1).prefetch(2))
