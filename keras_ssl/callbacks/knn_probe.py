"""k-nearest-neighbor accuracy during training."""

import keras
import numpy as np

from keras_ssl._types import Dataset
from keras_ssl.evaluation import extract_features, knn_from_features
from keras_ssl.evaluation.datasets import load_images
from keras_ssl.validation import check_int, check_positive


class KNNProbe(keras.callbacks.Callback):
    """Adds `knn_accuracy` to the logs: the accuracy of a kNN classifier on the current features.

    Labels come from separate datasets; the dataset being fitted needs none. The first and the last
    epoch of a `fit` are always measured. Skipped epochs log NaN, and so do epochs whose features
    are not finite.

    Put this callback before callbacks that read the accuracy, such as
    `EarlyStopping(monitor="knn_accuracy", mode="max")` or `ResumableCSVLogger`. The patience of
    `EarlyStopping` counts skipped epochs too.

        model.fit(x, callbacks=[keras_ssl.callbacks.KNNProbe(train, test, every=5)])

    If the accuracy decides when to stop, it is biased. Use one dataset for stopping, and report
    the accuracy on another.

    Args:
        train: Dataset with labels whose images vote, see `evaluation.extract_features`. Its images
            are read once and stay in memory.
        test: Dataset with labels whose images are classified. It stays in memory too.
        every: Int >= 1, the number of epochs between measurements.
        k: Int >= 1, the number of neighbors, capped at the number of training images.
        temperature: Float > 0, see `evaluation.knn`.

    Raises:
        ValueError: If a dataset is empty or has no labels, or a number is out of range.
        TypeError: If an argument is of an unsupported type.

    Source:
        Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4.
    """

    def __init__(
        self,
        train: Dataset,
        test: Dataset,
        every: int = 1,
        k: int = 200,
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        check_int(1, every=every, k=k)
        check_positive(temperature=temperature)
        self.train, self.test = load_images(train, "train"), load_images(test, "test")
        for name, (_, labels) in (("train", self.train), ("test", self.test)):
            if labels is None:
                raise ValueError(
                    f"`{name}` has no labels, and accuracy needs them. Pass elements "
                    "(image, label), or remove this callback."
                )
        self.every, self.k, self.temperature = every, k, temperature

    def on_train_begin(self, logs=None):
        self._is_first_epoch = True

    def on_epoch_end(self, epoch, logs=None):
        is_last = epoch + 1 == self.params.get("epochs")
        logs["knn_accuracy"] = float("nan")
        # The first epoch is always measured: if its value were NaN, no later value would count as
        # better for Keras's EarlyStopping.
        if (epoch + 1) % self.every and not is_last and not self._is_first_epoch:
            return
        self._is_first_epoch = False
        train_features, train_labels = extract_features(self.model, self.train)
        test_features, test_labels = extract_features(self.model, self.test)
        if np.isfinite(train_features).all() and np.isfinite(test_features).all():
            logs["knn_accuracy"] = knn_from_features(
                train_features,
                train_labels,
                test_features,
                test_labels,
                k=self.k,
                temperature=self.temperature,
            )
