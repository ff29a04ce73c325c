"""Validation of the first batch, before training starts."""

import numpy as np

from keras_ssl import distribute
from keras_ssl.images import check_batch, image_shape
from keras_ssl.training.batch import NUM_LARGE_CROPS
from keras_ssl.validation import check_int


def validate_images(model, images, labels=None):
    """Checks images of any size from which views are made.

    Returns:
        The images, and the labels or None, as arrays.
    """
    images = np.asarray(images)
    check_batch(images, "x", (None, None, image_shape(model.encoder)[2]))
    return images, validate_labels(labels, len(images))


def choose_views(model, images):
    """Returns the views to make of images, an array; see `views_for_size`."""
    if model.views is None:
        check_batch(images, "x", image_shape(model.encoder))
    return views_for_size(model, images.shape[1:3])


def views_for_size(model, size):
    """Returns the model's own views, or the method's default views at the size of the images."""
    if model.views is not None:
        return model.views
    sizes = zip(image_shape(model.encoder)[:2], size, strict=True)
    return model.default_views(tuple(fixed or actual for fixed, actual in sizes))


def validate_views(model, views, labels=None, name="x"):
    """Checks ready views. Returns the views of the first two images, and their labels if any."""
    arrays = tuple(np.asarray(view) for view in views)
    views = arrays[: len(arrays) - model.num_masks]
    masks = arrays[len(views) :]
    if len(views) < (1 if model.num_masks else model.min_views):
        expected = "takes images and masks" if model.num_masks else "compares two or more views"
        raise ValueError(
            f"{type(model).__name__} {expected}. `{name}` has {len(arrays)} view of each image."
        )
    shape = image_shape(model.encoder)
    for index, view in enumerate(views):
        is_small = model.allows_small_crops and index >= NUM_LARGE_CROPS  # resized if needed
        check_batch(view, f"{name}[{index}]", (None, None, shape[2]) if is_small else shape)
        validate_patch_size(model.encoder, view, f"{name}[{index}]")
    sizes = [len(view) for view in views]
    if len(set(sizes)) > 1:
        raise ValueError(f"The views of `{name}` have different numbers of images: {sizes}.")
    _validate_masks(model, masks, sizes[0], name)
    labels = validate_labels(labels, sizes[0])
    if model.target_kind:
        if labels is None:
            raise ValueError(
                f"{type(model).__name__} needs a {model.target_kind} for each image, and the data "
                f"has none. Pass elements (images, {model.target_kind}s) or ((view_1, ..., "
                f"view_V), {model.target_kind}s), or arrays with `y`."
            )
        model.check_targets(labels)
    first = tuple(array[:2] for array in arrays)
    return (first,) if labels is None else (first, labels[:2])


def validate_patch_size(encoder, images, name):
    """Raises ValueError unless a transformer's patch size divides the sides of the images."""
    patch = getattr(encoder, "patch_size", None)
    if isinstance(patch, int) and (images.shape[1] % patch or images.shape[2] % patch):
        raise ValueError(
            f"`{name}` has images of {images.shape[1]} x {images.shape[2]} pixels, which the "
            f"encoder's patch size of {patch} does not divide. Use multiples of {patch}."
        )


def validate_batch_size(model, num_images, batch_size):
    """Raises unless there is a full batch that can be contrasted and split among replicas."""
    check_int(1, batch_size=batch_size)
    if min(batch_size, num_images) < 2:
        raise ValueError(
            "Contrastive losses need a batch size of at least 2. Received a batch of one image "
            f"({num_images} images in batches of {batch_size})."
        )
    if num_images < batch_size:
        raise ValueError(
            f"`x` has {num_images} images and the batch size is {batch_size}: no full batch is "
            "left. Use a smaller batch size."
        )
    validate_divisible(model, batch_size)


def validate_divisible(model, batch_size, part=""):
    """Raises ValueError unless a batch can be split among replicas and into microbatches.

    Args:
        model: The method.
        batch_size: Int.
        part: String, the part of the batch that errors mention.
    """
    replicas = distribute.num_replicas_of(model)
    if batch_size % replicas:
        raise ValueError(
            f"A batch of {batch_size} images{part} cannot be split among {replicas} replicas. "
            f"Use a multiple of {replicas}."
        )
    share = batch_size // replicas
    if share % model.microbatches:
        raise ValueError(
            f"`microbatches={model.microbatches}` must divide the {share} images{part} of a batch "
            "on each device."
        )


def validate_labels(labels, num_images):
    """Raises ValueError unless there is one label per image. Returns an array, or None for None.

    Labels in a column, `(B, 1)` as in `keras.datasets`, become `(B,)`.
    """
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape[:1] != (num_images,):
        raise ValueError(f"`y` has labels of shape {labels.shape} for {num_images} images.")
    return labels


def _validate_masks(model, masks, num_images, name):
    for mask in masks:
        if mask.ndim != 2 or len(mask) != num_images:
            raise ValueError(
                f"{type(model).__name__} takes images and masks. The last parts of `{name}` must "
                f"be masks of patches, shape ({num_images}, N); received shape {mask.shape}."
            )
    if masks:
        model.check_masks(masks)
