"""Images of one size."""

import tensorflow as tf

from keras_ssl.data._options import without_autotune


def validate_size(size):
    """Returns an image size as `(height, width)`; None stays None."""
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else size
    whole = isinstance(pair, (tuple, list)) and all(
        isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in pair
    )
    if not whole or len(pair) != 2:
        raise ValueError(
            "`image_size` must be an int above 0, a pair (height, width) of them or None, "
            f"received {size!r}."
        )
    return tuple(pair)


def resize_dataset(dataset, size):
    """Brings the images of a dataset to one size.

    Args:
        dataset: Unbatched, of images or `(image, label)`.
        size: Pair `(height, width)`, or None for no change.
    """
    if size is None:
        return without_autotune(dataset)

    def change(image, *label):
        image = resize_and_crop(image, size)
        return (image, *label) if label else image

    return without_autotune(dataset.map(change, num_parallel_calls=tf.data.AUTOTUNE))


def resize_and_crop(image, size):
    """Resizes the largest central part of the aspect ratio of `size`; keeps the dtype."""
    height, width = size
    has_height, has_width = tf.unstack(tf.shape(image)[:2])
    crop_height = tf.clip_by_value(has_width * height // width, 1, has_height)
    crop_width = tf.clip_by_value(has_height * width // height, 1, has_width)
    top, left = (has_height - crop_height) // 2, (has_width - crop_width) // 2
    part = image[top : top + crop_height, left : left + crop_width]
    small = tf.image.resize(part, size, antialias=True)
    if image.dtype.is_integer:
        small = tf.round(tf.clip_by_value(small, 0, 255))
    return tf.ensure_shape(tf.cast(small, image.dtype), (*size, image.shape[-1]))
