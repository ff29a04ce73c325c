"""Labels that change between epochs, found again by the pixels of their images."""

import hashlib

import numpy as np
import tensorflow as tf

from keras_ssl.data._options import without_autotune

NONE = -1  # the label of an image that has none


class LabelTable:
    """The present label of each image, whatever the order in which images come."""

    def __init__(self):
        self._by_key = {}

    def set(self, keys, labels):
        """Replaces all labels.

        Args:
            keys: Sequence of what `keys_of` returned.
            labels: Int array of the same length; `NONE` for none.
        """
        self._by_key = dict(zip(keys, labels.tolist(), strict=True))

    def of(self, images):
        """Labels of images `(B, H, W, C)`, an int32 array; `NONE` for images not seen before."""
        found = [self._by_key.get(key, NONE) for key in image_digests(images)]
        return np.array(found, "int32")


def image_digests(images):
    """What tells images apart: a digest of the pixels of each."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


def attach_labels(dataset, labels):
    """Puts the label that it has now beside each image of a dataset of batches of images."""

    def look_up(images):
        found = tf.numpy_function(labels.of, [images], tf.int32, stateful=True)
        return images, tf.ensure_shape(found, (images.shape[0],))

    return without_autotune(dataset.map(look_up, num_parallel_calls=1).prefetch(2))
