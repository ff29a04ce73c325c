"""Input data of semi-supervised methods.

A `keras.utils.PyDataset` of ready elements needs no data pipeline, and so no TensorFlow. On JAX
arrays need none either; see `data.semi_supervised`.
"""

import numpy as np

from keras_ssl.data import batch_checks
from keras_ssl.images import check_batch, image_shape
from keras_ssl.training.fit import validation

KEYS = ("labeled", "weak", "strong", "index")
ACCEPTED = (
    '({"labeled", "weak", "strong", "index"[, "unlabeled_labels"]}, labels), as returned by '
    "keras_ssl.data.semi_supervised(labeled, unlabeled)"
)


def prepare_training(model, source, plan):
    """Checks the first batch of a source; returns `sources.PreparedData` of full batches."""
    source = source.ready_elements(ACCEPTED)
    info = source.info()
    num_unlabeled = model.num_unlabeled_bound if info is None else None
    first = validate_batch(model, source.first_element(), num_unlabeled)
    validate_classes(model, info)

    def validate(element):
        return validate_batch(model, element, num_unlabeled)

    def pipeline_check(dataset):
        return batch_checks.validate_semi_supervised_batches(
            dataset, model.num_classes, num_unlabeled
        )

    return source.read_epochs(plan, first, validate, pipeline_check)._replace(info=info)


def prepare_evaluation(model, source, batch_size):
    """Checks the first batch of images and labels; returns `sources.PreparedData`."""

    def validate(images, labels=None):
        return validate_labeled(model, images, labels)

    def pipeline_check(dataset):
        return batch_checks.validate_labeled_batches(dataset, model.num_classes)

    return source.labeled_batches(validate, pipeline_check, batch_size)


def validate_labeled(model, images, labels=None):
    """Checks images with labels. Returns both as arrays."""
    images = np.asarray(images)
    check_batch(images, "x", image_shape(model.inference_model))
    if labels is None:
        raise ValueError("`x` has no labels. Evaluation needs elements (images, labels).")
    return images, validate_class_labels(model, labels, len(images), "y")


def validate_class_labels(model, labels, num_images, name="labels"):
    """Raises ValueError unless there is one class index 0..K-1 per image. Returns an array."""
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:  # as in keras.datasets
        labels = labels[:, 0]
    if labels.shape != (num_images,):
        raise ValueError(
            f"`{name}` must hold one class index per image, shape ({num_images},); received shape "
            f"{labels.shape}."
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"`{name}` must be ints, class indices; received dtype {labels.dtype}.")
    if labels.min() < 0 or labels.max() >= model.num_classes:
        raise ValueError(
            f"`{name}` must lie in 0..{model.num_classes - 1}, because `classifier` returns "
            f"{model.num_classes} logits; received labels from {labels.min()} to {labels.max()}."
        )
    return labels


def validate_batch(model, element, num_unlabeled=None):
    """Checks a batch of labeled and unlabeled images. Returns it as arrays.

    Args:
        model: The method.
        element: Pair of a dict of `KEYS` and labels.
        num_unlabeled: Int that each index must be below; None if unknown.
    """
    if not isinstance(element, tuple) or len(element) != 2 or not isinstance(element[0], dict):
        raise ValueError(
            f"`x` must have elements {ACCEPTED}. {type(model).__name__} needs labeled and "
            "unlabeled images in each batch."
        )
    batch = {name: np.asarray(part) for name, part in element[0].items()}
    missing = [name for name in KEYS if name not in batch]
    unknown = sorted(set(batch) - {*KEYS, "unlabeled_labels"})
    if missing or unknown:
        problem = f"lacks {missing[0]!r}" if missing else f"has {unknown[0]!r}"
        raise ValueError(f"`x` must have elements {ACCEPTED}; its dict {problem}.")
    for name in ("labeled", "weak", "strong"):
        check_batch(batch[name], f"x[{name!r}]", image_shape(model.inference_model))
    sizes = {name: len(part) for name, part in batch.items() if name != "labeled"}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"The unlabeled parts of `x` have different numbers of images: {sizes}.")
    for name in ("index", *(["unlabeled_labels"] if "unlabeled_labels" in batch else [])):
        if batch[name].ndim != 1 or batch[name].dtype.kind not in "iu":
            raise ValueError(
                f"`x[{name!r}]` must be ints of shape ({sizes['index']},), one per unlabeled "
                f"image; received shape {batch[name].shape} and dtype {batch[name].dtype}."
            )
    _validate_index(batch["index"], num_unlabeled)
    labels = validate_class_labels(model, element[1], len(batch["labeled"]))
    for name in ("labeled", "weak"):
        validation.validate_divisible(model, len(batch[name]), f", x[{name!r}],")
    return batch, labels


def _validate_index(index, num_unlabeled):
    if index.min() < 0 or (num_unlabeled is not None and index.max() >= num_unlabeled):
        upper = "" if num_unlabeled is None else num_unlabeled - 1
        raise ValueError(
            f"`x['index']` must lie in 0..{upper}, the position of each image; received from "
            f"{index.min()} to {index.max()}."
        )


def validate_classes(model, info):
    """Raises ValueError unless the labeled images cover every class of the classifier."""
    if info is None:
        return
    missing = sorted(set(range(model.num_classes)) - set(info.classes))
    last = max(info.classes)
    if last >= model.num_classes:
        raise ValueError(
            f"`labeled` has labels up to {last} and `classifier` returns {model.num_classes} "
            "logits. It needs one per class: "
            f"keras_ssl.models.classifier(encoder, {last + 1})."
        )
    if missing:
        raise ValueError(
            f"`classifier` has {model.num_classes} outputs but there are no labeled examples for "
            f"classes {missing[:10]}{' and others' if len(missing) > 10 else ''}. Label at least "
            "one image per class. If this is an encoder, whose outputs are features, pass "
            f"keras_ssl.models.classifier(encoder, {last + 1})."
        )
