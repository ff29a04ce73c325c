"""What `fit` and `evaluate` of the semi-supervised methods accept.

Their elements need no data pipeline, and with it no TensorFlow, where a `keras.utils.PyDataset`
gives them.
"""

import keras
import numpy as np

from keras_ssl.images import check_batch, image_shape
from keras_ssl.training.fit import epoch_stream, sources, validation
from keras_ssl.training.fit.array_dataset import ArrayDataset

KEYS = ("labeled", "weak", "strong", "index")
ACCEPTED = (
    '({"labeled", "weak", "strong", "index"[, "unlabeled_labels"]}, labels), as '
    "keras_ssl.data.semi_supervised(labeled, unlabeled) makes them"
)


def prepare_training(model, x, y, steps_per_epoch, start, passes):
    """Checks the first batch of `x` and returns `inputs.Prepared` with full batches."""
    if isinstance(x, keras.utils.PyDataset):
        checked = ValidatedDataset(
            x, lambda batch: validate_batch(model, batch, model.num_unlabeled_bound)
        )
        return sources.PreparedData(epoch_stream.skip_batches(checked, start[1]), checked[0])
    if not sources.is_dataset(x):
        raise TypeError(
            "`x` must be a tf.data.Dataset or a keras.utils.PyDataset of elements "
            f"{ACCEPTED}; received {type(x).__name__}."
        )

    from keras_ssl.data import elements, epoch_counter, pipeline

    sources.reject_labels(y)
    if steps_per_epoch is None and elements.is_endless(x):
        raise ValueError("`x` repeats forever: pass `steps_per_epoch`, or drop the repeat().")
    facts = next(
        (each.facts for each in epoch_counter.find_counters(x) if each.facts is not None), None
    )
    num_unlabeled_bound = model.num_unlabeled_bound if facts is None else None
    first = validate_batch(model, validation.first_element(x), num_unlabeled_bound)
    validate_classes(model, facts)
    x = elements.drop_short_batches(x, first)
    x, epoch, steps = epoch_stream.resume_dataset(model, x, steps_per_epoch, start, passes)
    checked = pipeline.validate_semi_supervised_batches(x, model.num_classes, num_unlabeled_bound)
    return sources.PreparedData(checked, first, epoch, facts, steps)


def prepare_evaluation(model, x, y=None, *, batch_size):
    """Checks the first batch of images and labels, of a dataset or arrays."""
    if sources.is_dataset(x):
        from keras_ssl.data import elements, pipeline

        sources.reject_labels(y)
        if isinstance(x.element_spec, tuple) and isinstance(x.element_spec[0], (dict, tuple)):
            raise ValueError(
                "`x` holds what `fit` takes; evaluation takes batches of (images, labels)."
            )
        x = elements.image_and_label(x)
        first = validate_labeled(model, *validation.first_element(x))
        return sources.PreparedData(pipeline.validate_labeled_batches(x, model.num_classes), first)
    if isinstance(x, keras.utils.PyDataset):
        checked = ValidatedDataset(x, lambda batch: validate_labeled(model, *batch))
        return sources.PreparedData(checked, checked[0])
    if not sources.is_array(x):
        raise TypeError(
            "`x` must be a tf.data.Dataset of (images, labels) or an array of images, with its "
            f"labels in `y`; received {type(x).__name__}."
        )
    images, labels = validate_labeled(model, x, y)
    batch_size = 32 if batch_size is None else batch_size
    return sources.PreparedData(ArrayDataset(images, labels, batch_size), (images[:2], labels[:2]))


class ValidatedDataset(keras.utils.PyDataset):
    """A `keras.utils.PyDataset` of which every batch is checked.

    Args:
        dataset: What was received.
        check: Function that raises for a batch, or returns it as arrays.
    """

    def __init__(self, dataset, check):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset, self.check = dataset, check

    @property
    def num_batches(self):
        """As of the dataset."""
        return self.dataset.num_batches

    def __getitem__(self, index):
        try:
            return self.check(self.dataset[index])
        except ValueError as error:
            raise ValueError(f"In the batch with index {index}: {error}") from error

    def on_epoch_begin(self):
        """As of the dataset."""
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        """As of the dataset."""
        self.dataset.on_epoch_end()


def validate_labeled(model, images, labels=None):
    """Checks images with labels, also in a column `(B, 1)`. Returns both as arrays."""
    images = np.asarray(images)
    check_batch(images, "x", image_shape(model.inference_model))
    if labels is None:
        raise ValueError("`x` has no labels to compare with: give elements (images, labels).")
    return images, validate_class_labels(model, labels, len(images), "y")


def validate_class_labels(model, labels, rows, name="labels"):
    """Raises unless there is one class number from 0 to K-1 for each image. Returns an array."""
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:  # as keras.datasets has them
        labels = labels[:, 0]
    if labels.shape != (rows,):
        raise ValueError(
            f"`{name}` must hold one class number for each of {rows} images, shape ({rows},); "
            f"received shape {labels.shape}."
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"`{name}` must be ints, class numbers; received dtype {labels.dtype}.")
    if labels.min() < 0 or labels.max() >= model.num_classes:
        raise ValueError(
            f"`{name}` must lie in 0..{model.num_classes - 1}, as `classifier` returns "
            f"{model.num_classes} logits; received labels from {labels.min()} to {labels.max()}."
        )
    return labels


def validate_batch(model, element, num_unlabeled_bound=None):
    """Checks a batch of labeled and unlabeled images. Returns it as arrays."""
    if not isinstance(element, tuple) or len(element) != 2 or not isinstance(element[0], dict):
        raise ValueError(
            f"`x` must have elements {ACCEPTED}; {type(model).__name__} learns from both kinds of "
            "images at once."
        )
    batch = {name: np.asarray(part) for name, part in element[0].items()}
    missing = [name for name in KEYS if name not in batch]
    unknown = sorted(set(batch) - {*KEYS, "unlabeled_labels"})
    if missing or unknown:
        what = f"lacks {missing[0]!r}" if missing else f"has {unknown[0]!r}"
        raise ValueError(f"`x` must have elements {ACCEPTED}; its dict {what}.")
    for name in ("labeled", "weak", "strong"):
        check_batch(batch[name], f"x[{name!r}]", image_shape(model.inference_model))
    rows = {name: len(part) for name, part in batch.items() if name != "labeled"}
    if len(set(rows.values())) > 1:
        raise ValueError(f"`x` has unlabeled parts of different numbers of images: {rows}.")
    for name in ("index", *(["unlabeled_labels"] if "unlabeled_labels" in batch else [])):
        if batch[name].ndim != 1 or batch[name].dtype.kind not in "iu":
            raise ValueError(
                f"`x[{name!r}]` must be ints of shape ({rows['index']},), one for each unlabeled "
                f"image; received shape {batch[name].shape} and dtype {batch[name].dtype}."
            )
    most = num_unlabeled_bound
    if batch["index"].min() < 0 or (most is not None and batch["index"].max() >= most):
        raise ValueError(
            f"`x['index']` must lie in 0..{'' if most is None else most - 1}, the place of each "
            f"image; received from {batch['index'].min()} to {batch['index'].max()}."
        )
    labels = validate_class_labels(model, element[1], len(batch["labeled"]))
    for name in ("labeled", "weak"):
        validation.validate_divisible(model, len(batch[name]), f", x[{name!r}],")
    return batch, labels


def validate_classes(model, facts):
    """Raises unless the labeled images are known to show every class that there is a logit for."""
    if facts is None:
        return
    missing = sorted(set(range(model.num_classes)) - set(facts.classes))
    beyond = max(facts.classes)
    if beyond >= model.num_classes:
        raise ValueError(
            f"`labeled` has labels up to {beyond}, and `classifier` returns {model.num_classes} "
            "logits: one is needed for each class, "
            f"keras_ssl.models.classifier(encoder, {beyond + 1})."
        )
    if missing:
        raise ValueError(
            f"`classifier` returns {model.num_classes} logits, and no labeled image shows class "
            f"{missing[0]}" + f", nor {len(missing) - 1} others" * (len(missing) > 1) + ". Label "
            "at least one of each class; if this is an encoder, whose outputs are features, pass "
            f"keras_ssl.models.classifier(encoder, {beyond + 1})."
        )
