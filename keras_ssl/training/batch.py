"""Batches as `compute_losses` receives them."""

from typing import Any, NamedTuple, Self

from keras import ops

NUM_LARGE_CROPS = 2  # of multi-crop methods: the first views, which the teacher sees


class Batch(NamedTuple):
    """Views of one batch of images.

    Attributes:
        views: Tuple of V >= 2 float tensors `(B, H, W, C)` in 0..1; row i of each shows image i.
        labels: Tensor `(B,)`, or None if the data has none; token ids `(B, T)` of captions.
    """

    views: tuple
    labels: Any = None

    @property
    def size(self):
        """Number of images."""
        return ops.shape(self.views[0])[0]

    @classmethod
    def from_keras(cls, data: Any) -> Self:
        """Returns the batch in the data of a Keras step, `((view_1, ..., view_V)[, labels])`."""
        if isinstance(data, cls):
            return data
        if isinstance(data, tuple) and data and isinstance(data[0], (tuple, list)):
            return cls(tuple(data[0]), data[1] if len(data) > 1 else None)
        raise ValueError(
            "A training step takes ready views, elements ((view_1, ..., view_V),) or ((view_1, "
            "..., view_V), labels). It received plain images. Pass plain images to `fit` or "
            "`evaluate`, which make the views, or use keras_ssl.data.make_views."
        )


class LabeledBatch(NamedTuple):
    """Images with labels, on which a classifier is evaluated.

    Attributes:
        images: `(B, H, W, C)`, uint8 0..255 or float 0..1.
        labels: Int tensor `(B,)`, classes 0..K-1.
    """

    images: Any
    labels: Any

    @property
    def size(self):
        """Number of images."""
        return ops.shape(self.images)[0]


class SemiSupervisedBatch(NamedTuple):
    """Labeled and unlabeled images.

    Attributes:
        labeled: Tensor `(B, H, W, C)` of images, uint8 0..255 or float 0..1.
        weak: Tensor `(U, H, W, C)`, a weak view of each unlabeled image.
        strong: Tensor `(U, H, W, C)`, a strong view of the same images.
        index: Int tensor `(U,)`, the position of each unlabeled image in its data set.
        labels: Int tensor `(B,)`, classes 0..K-1.
        unlabeled_labels: Int tensor `(U,)`, only logged; below 0 if unknown. Or None.
    """

    labeled: Any
    weak: Any
    strong: Any
    index: Any
    labels: Any
    unlabeled_labels: Any = None

    @property
    def size(self):
        """Number of labeled images."""
        return ops.shape(self.labels)[0]

    @classmethod
    def from_keras(cls, data: Any) -> Self | LabeledBatch:
        """Returns the batch in the data of a Keras step.

        It is `({"labeled", ...}, labels)` in training and `(images, labels)` in evaluation.
        """
        if isinstance(data, (cls, LabeledBatch)):
            return data
        if isinstance(data, tuple) and len(data) == 3 and data[2] is None:
            data = data[:2]  # from `train_on_batch`
        if isinstance(data, tuple) and len(data) == 2:
            if isinstance(data[0], dict):
                return cls(labels=data[1], **data[0])
            return LabeledBatch(*data)
        raise ValueError(
            'A training step takes elements ({"labeled", "weak", "strong", "index"}, labels), and '
            "evaluation (images, labels). See keras_ssl.data.semi_supervised."
        )
