"""One batch as a method's `compute_losses` sees it."""

from typing import Any, NamedTuple


class Batch(NamedTuple):
    """Views of one batch of images.

    Attributes:
        views: Tuple of V >= 2 float tensors `(B, H, W, C)` in 0..1; row i of each shows image i.
        labels: Tensor `(B,)`, or None where the data has none.
    """

    views: tuple
    labels: Any = None

    @classmethod
    def of(cls, data):
        """Reads what a Keras step receives: `((view_1, ..., view_V),)`, labels optional."""
        if isinstance(data, cls):
            return data
        if isinstance(data, tuple) and data and isinstance(data[0], (tuple, list)):
            return cls(tuple(data[0]), data[1] if len(data) > 1 else None)
        raise ValueError(
            "A training step takes ready views, elements ((view_1, ..., view_V),) or "
            "((view_1, ..., view_V), labels); it received plain images. Give plain images to "
            "`fit` or `evaluate`, which make the views, or use keras_ssl.data.views."
        )
