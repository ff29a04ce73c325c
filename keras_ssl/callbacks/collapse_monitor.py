"""Detection of collapsed features during training."""

import warnings
from typing import NamedTuple

import keras
import numpy as np

from keras_ssl._types import Dataset
from keras_ssl.evaluation import extract_features, feature_std, rankme
from keras_ssl.evaluation.datasets import load_images
from keras_ssl.validation import check_int

# The thresholds are our own. Standard deviations are relative to `1 / sqrt(D)`, that of evenly
# spread features. Untrained residual networks have 0.1 to 0.3 of it, so a value below a tenth
# counts only if it fell.
LOW_STD = 0.1
COLLAPSED_STD = 0.01  # counts even if it did not fall
STD_DROP = 0.5  # of the value before `fit`
MIN_EFFECTIVE_RANK = 1.5  # untrained networks have 2 to 40
RANK_DROP = 0.05  # of the largest effective rank of this `fit`

COLLAPSE_ADVICE = (
    "What to try: lower the learning rate or warm it up for longer; use the default views of the "
    "method if yours are weaker; use larger batches; raise the momentum if the method has a "
    "momentum encoder. Then start again, or resume from a checkpoint from before the collapse."
)
DIVERGENCE_ADVICE = (
    "What to try: lower the learning rate, warm it up for longer, or clip gradients with the "
    "optimizer's `clipnorm`. Then start again, or resume from a checkpoint from before this epoch."
)


class Measurement(NamedTuple):
    """A value, and the dimension of the vectors that it was measured on."""

    value: float
    dim: int


class CollapseMonitor(keras.callbacks.Callback):
    """Adds `feature_std` and `effective_rank` to the logs, and warns when features collapse.

    - `feature_std` is 0 if all images have the same features, and about `1 / sqrt(D)` if the
      features are spread evenly over all directions.
    - `effective_rank` is the number of dimensions that the features use.
    - `projection_std` is the counterpart of `feature_std` for the output of the projector, if the
      model has one. If projections collapse, the loss stays low but no longer trains the encoder,
      even though the features still look healthy.

    The callback gives at most one `UserWarning` in each `fit`, with advice. It warns if a standard
    deviation falls below a tenth of `1 / sqrt(D)` and below half of its value before training, or
    below a hundredth of `1 / sqrt(D)`; if `effective_rank` falls below 1.5 or below a twentieth of
    its largest value; or if features are not finite. Skipped epochs log NaN. Put this callback
    before callbacks that read its values.

        model.fit(x, callbacks=[keras_ssl.callbacks.CollapseMonitor(images)])

    Args:
        images: Dataset, with labels or without; see `evaluation.extract_features`. Its first
            `limit` images are read once and stay in memory.
        every: Int >= 1, the number of epochs between measurements. The last epoch is always
            measured.
        limit: Int >= 2, the largest number of images to use.

    Raises:
        ValueError: If there are fewer than two images, or a number is out of range.
        TypeError: If an argument is of an unsupported type.

    Source:
        `evaluation.feature_std` and `evaluation.rankme`; the thresholds are our own.
    """

    def __init__(self, images: Dataset, every: int = 1, limit: int = 1024) -> None:
        super().__init__()
        check_int(1, every=every)
        check_int(2, limit=limit)
        self.images, _ = load_images(images, "images", limit)
        if len(self.images) < 2:
            raise ValueError("`images` must have at least two images. Received one.")
        self.every = every

    def on_train_begin(self, logs=None):
        self._has_warned = False
        self._initial = self._measure()
        self._largest_rank = self._initial["effective_rank"].value

    def on_epoch_end(self, epoch, logs=None):
        is_last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every and not is_last:
            logs.update(dict.fromkeys(self._initial, float("nan")))
            return
        measured = self._measure()
        logs.update({name: measurement.value for name, measurement in measured.items()})
        problem = self._find_problem(measured)
        if problem and not self._has_warned:
            self._has_warned = True
            warnings.warn(f"CollapseMonitor, epoch {epoch + 1}: {problem}", stacklevel=2)

    def _measure(self):
        """Returns a dict from the name of a quantity to its `Measurement`."""
        features, _ = extract_features(self.model, self.images)
        measured = {
            "feature_std": _measure_if_finite(feature_std, features),
            "effective_rank": _measure_if_finite(rankme, features),
        }
        projector = getattr(self.model, "projector", None)
        if isinstance(projector, keras.Layer):
            projections = projector(keras.ops.convert_to_tensor(features), training=False)
            projections = keras.ops.convert_to_numpy(keras.ops.cast(projections, "float32"))
            measured["projection_std"] = _measure_if_finite(feature_std, projections)
        return measured

    def _find_problem(self, measured):
        """Returns what is wrong and what to try, or None."""
        if not all(np.isfinite(measurement.value) for measurement in measured.values()):
            return f"features are not finite, so the weights have diverged. {DIVERGENCE_ADVICE}"
        problem = self._find_low_std(measured) or self._find_low_rank(measured)
        return problem and f"{problem} {COLLAPSE_ADVICE}"

    def _find_low_std(self, measured):
        if self._is_low_std("feature_std", measured):
            std, dim = measured["feature_std"]
            return (
                "features collapse to a point. All images have nearly the same features: "
                f"`feature_std` is {std:.2g}, and evenly spread features have {dim**-0.5:.2g}."
            )
        if self._is_low_std("projection_std", measured):
            std, dim = measured["projection_std"]
            return (
                "projections collapse to a point. The projector returns nearly the same output for "
                "all images, so the loss no longer trains the encoder, even if the features look "
                f"healthy: `projection_std` is {std:.2g}, and evenly spread projections have "
                f"{dim**-0.5:.2g}."
            )
        return None

    def _is_low_std(self, name, measured):
        if name not in measured:
            return False
        std, dim = measured[name]
        relative = std * np.sqrt(dim)
        has_dropped = std < STD_DROP * self._initial[name].value
        return relative < COLLAPSED_STD or (relative < LOW_STD and has_dropped)

    def _find_low_rank(self, measured):
        rank, dim = measured["effective_rank"]
        self._largest_rank = max(rank, self._largest_rank)
        if rank < MIN_EFFECTIVE_RANK and dim > 1:
            return (
                "features collapse to a line. They use a single dimension: `effective_rank` is "
                f"{rank:.2f} of {dim}."
            )
        if rank < RANK_DROP * self._largest_rank:
            return (
                "features collapse to few dimensions: `effective_rank` fell from "
                f"{self._largest_rank:.1f} to {rank:.1f}."
            )
        return None


def _measure_if_finite(metric, features):
    value = metric(features) if np.isfinite(features).all() else float("nan")
    return Measurement(value, features.shape[1])
