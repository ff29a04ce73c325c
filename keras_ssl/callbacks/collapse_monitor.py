"""Watches whether features collapse while training goes on."""

import warnings

import keras
import numpy as np

from keras_ssl.evaluation import extract_features, feature_std, rankme
from keras_ssl.evaluation.features import images_of
from keras_ssl.validation import check_int

# Shares of the spread of evenly spread features. Untrained residual networks have 0.1 to 0.3 of
# it, so that a value below a tenth means something only where it has fallen.
LOW, NOTHING = 0.1, 0.01
LINE = 1.5  # effective dimensions; untrained networks have 2 to 40
FALLEN = 0.05  # of the largest effective rank of this fit
ADVICE = (
    "Common causes: a learning rate that is too high; views that differ too little; batches that "
    "are too small; in methods with a momentum encoder, a momentum that is too low."
)


class CollapseMonitor(keras.callbacks.Callback):
    """Adds `feature_std` and `effective_rank` to the logs, and warns when features collapse.

    `feature_std` is 0 where all images have one feature vector, and about `1 / sqrt(D)` where the
    features point evenly in all directions. `effective_rank` is the number of dimensions that the
    features use. For a model with a projector, `projection_std` is the first number of its
    projections: where these collapse, the loss is content and teaches the encoder nothing more,
    though features still look well.

    One `UserWarning` in a `fit` is given, with advice, when a spread falls below a tenth of
    `1 / sqrt(D)` and half of what it was before, or `effective_rank` below 1.5 or a twentieth of
    its largest value. The logs are NaN after epochs that are skipped. Put it before callbacks
    that read them.

        model.fit(x, callbacks=[keras_ssl.callbacks.CollapseMonitor(images)])

    Args:
        images: Data set, labels or none; see `evaluation.extract_features`. Its first `limit`
            images are read once, into memory.
        every: Int >= 1, epochs from one measurement to the next.
        limit: Int >= 2, images to look at.

    Raises:
        ValueError: If there are fewer than two images, or a number is out of range.
        TypeError: If the data set is of another kind.

    Source:
        `evaluation.feature_std` and `evaluation.rankme`; the thresholds are our own.
    """

    def __init__(self, images, every=1, limit=1024):
        super().__init__()
        check_int(1, every=every, limit=limit)
        self.images, _ = images_of("images", images, limit)
        if len(self.images) < 2:
            raise ValueError("`images` and `limit` must give two images or more, received one.")
        self.every = every

    def on_train_begin(self, logs=None):
        """Measures what a fall is measured from."""
        self._warned, self._before = False, self._measure()

    def on_epoch_end(self, epoch, logs=None):
        """Adds the numbers, and warns once."""
        is_last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every and not is_last:
            logs.update(dict.fromkeys(self._before, float("nan")))
            return
        found = self._measure()
        logs.update({name: value for name, (value, _) in found.items()})
        what = self._find_collapse(found)
        if what and not self._warned:
            self._warned = True
            warnings.warn(f"CollapseMonitor, epoch {epoch + 1}: {what} {ADVICE}", stacklevel=2)

    def _measure(self):
        """Returns, for each quantity, its value and the width of what it was measured on."""
        features, _ = extract_features(self.model, self.images)
        width = features.shape[1]
        is_finite = np.isfinite(features).all()
        found = {
            "feature_std": (feature_std(features) if is_finite else float("nan"), width),
            "effective_rank": (rankme(features) if is_finite else float("nan"), width),
        }
        projector = getattr(self.model, "projector", None)
        if isinstance(projector, keras.Layer):
            projected = projector(keras.ops.convert_to_tensor(features), training=False)
            projected = keras.ops.convert_to_numpy(keras.ops.cast(projected, "float32"))
            is_finite = np.isfinite(projected).all()
            spread = feature_std(projected) if is_finite else float("nan")
            found["projection_std"] = (spread, projected.shape[1])
        return found

    def _find_collapse(self, found):
        """Says in words what is wrong, if anything is."""
        if not all(np.isfinite(value) for value, _ in found.values()):
            return "features are not finite: the weights have diverged."
        for name, of in (("feature_std", "features"), ("projection_std", "projections")):
            if name not in found:
                continue
            (spread, width), (before, _) = found[name], self._before[name]
            even = 1 / np.sqrt(width)
            has_fallen = spread < LOW * even and spread < before / 2
            if has_fallen or spread < NOTHING * even:
                return (
                    f"{of} collapse to a point: all images look nearly alike, {name} is "
                    f"{spread:.2g} where evenly spread {of} have {even:.2g}."
                )
        rank, width = found["effective_rank"]
        largest = max(rank, self._before["effective_rank"][0])
        self._before["effective_rank"] = (largest, width)
        if rank < LINE and width > 1:
            return f"features collapse to a line: their effective rank is {rank:.2f}."
        if rank < FALLEN * largest:
            return (
                "features collapse to few dimensions: their effective rank fell from "
                f"{largest:.1f} to {rank:.1f}."
            )
        return None
