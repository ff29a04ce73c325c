"""The interface of a kind of input data."""

import dataclasses
from typing import Any, NamedTuple

from keras_ssl.images import check_batch, image_shape
from keras_ssl.training.fit import validation

ACCEPTED = (
    "a tf.data.Dataset of image batches or ready views, an array of images (N, H, W, C), a tuple "
    "of arrays (one per view), or a keras.utils.PyDataset of ready views"
)


class PreparedData(NamedTuple):
    """Data for Keras's `fit` or `evaluate`.

    Attributes:
        data: `tf.data.Dataset` or `keras.utils.PyDataset` of what a step takes.
        first: Views of two images, or the first batch, to trace the step with; None if unknown.
        start_epoch: Int, the epoch at which data that continues from epoch to epoch begins; None
            if each epoch is a new iteration.
        info: What the data set knows about itself, `data.semi_supervised.DatasetInfo`, or None.
        make_views: Function from an element to one with views, which the training step calls, of
            semi-supervised methods; None if the data holds views.
    """

    data: Any
    first: Any = None
    start_epoch: int | None = None
    info: Any = None
    make_views: Any = None


@dataclasses.dataclass(frozen=True)
class EpochPlan:
    """How epochs are read.

    Attributes:
        batch_size: Int, for arrays; 32 if None.
        shuffle: Bool, for arrays.
        steps_per_epoch: Int or None, as in `fit`.
        epoch: Int, the epoch to start with.
        step: Int, batches of that epoch to skip.
    """

    batch_size: int | None
    shuffle: bool
    steps_per_epoch: int | None
    epoch: int = 0
    step: int = 0

    def starting_at(self, epoch, step=0):
        """Returns the plan that starts at a step of an epoch."""
        return dataclasses.replace(self, epoch=epoch, step=step)


class Source:
    """A kind of input. Methods that a kind does not support raise a TypeError that says so.

    Args:
        x: What `fit`, `evaluate` or `predict` received.
        y: Labels or captions of arrays, or None.
    """

    # Whether training with `steps_per_epoch` can start within an epoch.
    has_known_position = False

    def __init__(self, x, y=None):
        self.x, self.y = x, y

    def prepare_training(self, model, plan):
        """Checks the first batch; returns `PreparedData` of full batches of ready views."""
        self.reject(ACCEPTED)

    def prepare_evaluation(self, model, batch_size):
        """As `prepare_training`, without dropping or shuffling; views are the same each time."""
        self.reject(ACCEPTED)

    def prepare_prediction(self, model, batch_size):
        """Checks the first batch; returns a dataset of images."""
        self.reject(
            "a tf.data.Dataset of image batches, an array of images (N, H, W, C) or a "
            "keras.utils.PyDataset"
        )

    def image_batches(self, model, batch_size):
        """Checks the first batch; returns a `tf.data.Dataset` of `(images[, labels])`."""
        self.reject("a tf.data.Dataset of image batches or an array of images (N, H, W, C)")

    def training_images(self, model, plan):
        """Checks the first batch; returns a `tf.data.Dataset` of full batches of images alone."""
        self.reject("a tf.data.Dataset of image batches or an array of images (N, H, W, C)")

    def labeled_batches(self, validate, pipeline_check, batch_size):
        """Returns `PreparedData` of `(images, labels)` whose batches are checked.

        Args:
            validate: Function of images and labels as arrays; raises, or returns both.
            pipeline_check: Function that adds the same check to a `tf.data.Dataset`.
            batch_size: Int or None, for arrays.
        """
        self.reject(
            "a tf.data.Dataset of (images, labels) or an array of images, with its labels in `y`"
        )

    def ready_elements(self, accepted):
        """Returns the source if its elements are what a training step takes, not arrays."""
        self.reject(f"a tf.data.Dataset or a keras.utils.PyDataset of elements {accepted}")

    def tokenized(self, tokenize, tokenize_dataset):
        """Returns the source with captions as token ids.

        Args:
            tokenize: Function of an array of captions to token ids.
            tokenize_dataset: The same function for a `tf.data.Dataset`.
        """
        return self

    def reject(self, accepted):
        """Raises the TypeError for a kind that is not supported."""
        raise TypeError(f"`x` must be {accepted}; received {type(self.x).__name__}.")


class UnknownSource(Source):
    """Anything else: all methods raise."""


def make_element(images, labels):
    """Returns the element of a dataset of images, with labels if there are any."""
    return (images,) if labels is None else (images, labels)


def batch_size_or_default(batch_size):
    """Returns the batch size of arrays, Keras's default if it is None."""
    return 32 if batch_size is None else batch_size


def validate_network_input(model, images):
    """Raises ValueError for images that the inference model does not take."""
    check_batch(images, "x", image_shape(model.inference_model))
    validation.validate_patch_size(model.inference_model, images, "x")
