"""What is asked of the first batch, before training starts."""

import numpy as np

from keras_ssl import distribute
from keras_ssl.images import check_batch, image_shape


def first_element(dataset):
    """Returns the first element of a dataset as arrays; ValueError if there is none."""
    from keras_ssl.data import elements

    return elements.first_element(dataset)


def validate_images(model, images, labels=None):
    """Checks images that views are made of, of any size: the views decide what the encoder sees.

    Returns:
        The images, and the labels or None, as arrays.
    """
    images = np.asarray(images)
    check_batch(images, "x", (None, None, image_shape(model.encoder)[2]))
    return images, validate_labels(labels, len(images))


def choose_views(model, images):
    """Returns the views to make: the model's own, or the method's at the size of the images."""
    if model.views is not None:
        return model.views
    shape = image_shape(model.encoder)
    check_batch(images, "x", shape)
    sizes = zip(shape[:2], images.shape[1:3], strict=True)
    return model.default_views(tuple(takes or given for takes, given in sizes))


def validate_views(model, views, labels=None, name="x"):
    """Checks ready views. Returns the first two images of each, and their labels if any."""
    every = tuple(np.asarray(view) for view in views)
    views = every[: len(every) - model.num_masks]
    if len(views) < (1 if model.num_masks else model.min_views):
        raise ValueError(
            f"`{name}` has {len(every)} view of each image; {type(model).__name__} "
            + ("takes images and masks." if model.num_masks else "compares two or more.")
        )
    takes = image_shape(model.encoder)
    for index, view in enumerate(views):
        is_small = model.allows_small_crops and index >= 2  # resized where the encoder needs it
        check_batch(view, f"{name}[{index}]", (None, None, takes[2]) if is_small else takes)
        validate_patch_size(model.encoder, view, f"{name}[{index}]")
    rows = [len(view) for view in views]
    if len(set(rows)) > 1:
        raise ValueError(f"The views of `{name}` have different numbers of images: {rows}.")
    _check_masks(model, every[len(views) :], rows[0], name)
    labels = validate_labels(labels, rows[0])
    if labels is None and model.target_kind:
        raise ValueError(
            f"{type(model).__name__} needs {model.target_kind} for each image, and the data has "
            "none: give elements (images, labels), or ((view_1, ..., view_V), labels), or `y` with "
            "arrays."
        )
    if model.target_kind:
        model.check_labels(labels)
    few = tuple(view[:2] for view in every)
    return (few,) if labels is None else (few, labels[:2])


def validate_patch_size(encoder, images, name):
    """Raises unless a transformer's patches divide the sides of images `(B, H, W, C)`."""
    patch = getattr(encoder, "patch_size", None)
    if isinstance(patch, int) and (images.shape[1] % patch or images.shape[2] % patch):
        raise ValueError(
            f"`{name}` has images of {images.shape[1]} x {images.shape[2]} pixels, and the encoder "
            f"cuts them into patches of {patch} x {patch}: give it multiples of {patch}."
        )


def _check_masks(model, masks, rows, name):
    """Raises unless masks are `(B, N)`, a row for each image."""
    for mask in masks:
        if mask.ndim != 2 or len(mask) != rows:
            raise ValueError(
                f"The last of `{name}` must be masks of patches, of shape ({rows}, N), received "
                f"shape {mask.shape}: {type(model).__name__} takes images and masks."
            )
    if masks:
        model.check_masks(masks)


def validate_batch_size(model, rows, batch_size):
    """Raises unless `rows` images fill a batch that can be contrasted and shared out."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)):
        raise TypeError(f"`batch_size` must be an int, received {batch_size!r}.")
    if min(batch_size, rows) < 2:
        raise ValueError(
            "A batch of one image has nothing to be compared with: give batches of two images or "
            f"more, received {rows} in a batch of size {batch_size}."
        )
    if rows < batch_size:
        raise ValueError(
            f"`x` has {rows} images and a batch takes {batch_size}: no full batch is left. Use a "
            "smaller batch size."
        )
    validate_divisible(model, batch_size)


def validate_divisible(model, batch_size, which=""):
    """Raises unless a batch can be shared out over replicas, and there cut in pieces.

    Args:
        model: The method.
        batch_size: Int, images in the batch.
        which: String after that number in errors.
    """
    replicas = distribute.num_replicas_of(model)
    if batch_size % replicas:
        raise ValueError(
            f"A batch of {batch_size} images{which} cannot be shared out over {replicas} replicas: "
            f"use a multiple of {replicas}."
        )
    share = batch_size // replicas
    if share % model.microbatches:
        raise ValueError(
            f"`microbatches` is {model.microbatches}, and a batch has {share} images{which} on each device: it "
            "must divide that number."
        )


def validate_labels(labels, rows):
    """Raises unless there is one label for each image. Returns an array, or None for None.

    Those in a column, `(B, 1)` as `keras.datasets` has them, become `(B,)`.
    """
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape[:1] != (rows,):
        raise ValueError(f"`y` has labels of shape {labels.shape} for {rows} images.")
    return labels
