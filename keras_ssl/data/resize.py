"""Resizing of images to one size."""

from keras_ssl import _tensorflow as tf
from keras_ssl.data._options import without_autotune
from keras_ssl.validation import as_size


def validate_size(image_size):
    """Returns an image size as `(height, width)`, or None for None; raises for anything else."""
    return None if image_size is None else as_size(image_size, "image_size")


def resize_dataset(dataset, size):
    """Crops and resizes the images of a dataset.

    Args:
        dataset: Unbatched dataset of images or `(image, label)`.
        size: Pair `(height, width)`, or None for no change.
    """
    if size is None:
        return without_autotune(dataset)

    def resize(image, *label):
        image = crop_and_resize(image, size)
        return (image, *label) if label else image

    return without_autotune(dataset.map(resize, num_parallel_calls=tf.data.AUTOTUNE))


def crop_and_resize(image, size):
    """Resizes the largest central crop with the aspect ratio of `size`, and keeps the dtype."""
    height, width = size
    image_height, image_width = tf.unstack(tf.shape(image)[:2])
    crop_height = tf.clip_by_value(image_width * height // width, 1, image_height)
    crop_width = tf.clip_by_value(image_height * width // height, 1, image_width)
    top, left = (image_height - crop_height) // 2, (image_width - crop_width) // 2
    crop = image[top : top + crop_height, left : left + crop_width]
    resized = tf.image.resize(crop, size, antialias=True)
    if image.dtype.is_integer:
        resized = tf.round(tf.clip_by_value(resized, 0, 255))
    return tf.ensure_shape(tf.cast(resized, image.dtype), (*size, image.shape[-1]))
