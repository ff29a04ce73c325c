"""FlexMatch."""

from typing import Any

import keras
from keras import ops

from keras_ssl import distribute, losses
from keras_ssl._types import Tensor
from keras_ssl.numerics import mean, one_hot
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_int

UNSELECTED = -1  # label of an image without a confident pseudo-label so far


@keras.saving.register_keras_serializable("keras_ssl")
class FlexMatch(SemiSupervisedModel):
    """FlexMatch: FixMatch with lower thresholds for classes that are learned more slowly.

    The threshold of a class is scaled by its number of confident pseudo-labels relative to the
    class with the most. All images are used at the start, and only those above `threshold` once all
    classes are learned. Use it instead of FixMatch for many classes or very few labels per class.
    It needs one int per unlabeled image in addition to FixMatch's memory. Compute and a safe
    starting point are those of `FixMatch`.

    `fit` logs the values listed in `SemiSupervisedModel`; `threshold` is the mean over classes,
    which starts at 0 and rises.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        model = keras_ssl.FlexMatch(keras_ssl.models.classifier(encoder, 10))
        model.compile(keras_ssl.optimizers.L2SGD(0.03, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled), validation_data=test)

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold: Float in 0..1, probability from which a pseudo-label is confident, and the upper
            limit of all thresholds.
        num_unlabeled: Int >= 1, number of unlabeled images; every `index` must be below it. None to
            read it from the dataset of `data.semi_supervised` when `fit` starts. Pass it if you
            save and load only the weights.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described. In `fit`, if
            the number of unlabeled images is unknown or has changed.

    Source:
        Zhang et al. 2021, https://arxiv.org/abs/2110.08263, equations 5 to 11, with the warm-up of
        equation 9 and the mapping x / (2 - x) of section 3.3.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        threshold: float = 0.95,
        num_unlabeled: int | None = None,
        **kwargs,
    ) -> None:
        check_fraction(threshold=threshold)
        if num_unlabeled is not None:
            check_int(1, num_unlabeled=num_unlabeled)
        super().__init__(classifier, **kwargs)
        self.threshold = threshold
        self.num_unlabeled = num_unlabeled
        self.selected_label: Any = None  # a weight once the number of images is known
        self._allocate()

    @property
    def num_unlabeled_bound(self) -> int | None:
        """Exclusive upper bound of the indices of unlabeled images."""
        return self.num_unlabeled

    def on_dataset_info(self, info: Any) -> None:
        """Allocates a label for each unlabeled image."""
        if info is not None and self.num_unlabeled is None:
            self.num_unlabeled = info.unlabeled
            self._allocate()
        if self.num_unlabeled is None:
            raise ValueError(
                "`num_unlabeled` is None, and the number of unlabeled images in `x` is unknown. "
                "Pass it to the constructor, or use keras_ssl.data.semi_supervised."
            )
        if info is not None and info.unlabeled != self.num_unlabeled:
            raise ValueError(
                f"`num_unlabeled` is {self.num_unlabeled}, but `x` has {info.unlabeled} unlabeled "
                "images. The pseudo-labels in this model belong to other images: create a new "
                "model."
            )

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns the loss of equations 5 to 11."""
        pseudo_labels = ops.argmax(logits.weak, axis=1)
        class_thresholds = self.compute_thresholds()
        thresholds = ops.take(class_thresholds, pseudo_labels, axis=0)
        loss, mask = losses.fixmatch(logits.weak, logits.strong, thresholds)
        _, is_confident = losses.fixmatch(logits.weak, logits.strong, self.threshold)
        index = distribute.all_gather(batch.index)
        previous = ops.take(self.selected_label, index, axis=0)
        selected = ops.where(is_confident > 0, ops.cast(pseudo_labels, "int32"), previous)
        # Assigned in every batch, also under gradient accumulation: batches have other images.
        self.selected_label.assign(
            ops.scatter_update(self.selected_label, index[:, None], selected)
        )
        return {"unsupervised_loss": loss, "mask": mask, "threshold": mean(class_thresholds)}

    def compute_thresholds(self) -> Tensor:
        """Returns the current threshold of each class, `(K,)`."""
        selected = ops.convert_to_tensor(self.selected_label)
        row = ops.zeros((1, self.num_classes), keras.config.floatx())
        counts = ops.sum(one_hot(selected, row), axis=0)  # UNSELECTED is a row of zeros
        num_unselected = self.num_unlabeled - ops.sum(counts)
        learned = counts / ops.maximum(ops.max(counts), num_unselected)
        return self.threshold * learned / (2.0 - learned)

    def _allocate(self):
        """Adds the last confident pseudo-label of each unlabeled image as state."""
        if self.num_unlabeled is not None:
            shape = (self.num_unlabeled,)
            with distribute.strategy_scope(self):
                self.selected_label = self.add_state("selected_label", shape, UNSELECTED, "int32")
