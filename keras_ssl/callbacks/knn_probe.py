"""Accuracy of nearest neighbors while training goes on."""

import keras
import numpy as np

from keras_ssl.evaluation import extract_features, knn_from_features
from keras_ssl.evaluation.features import images_of
from keras_ssl.validation import check_int, check_positive


class KNNProbe(keras.callbacks.Callback):
    """Adds `knn_accuracy` to the logs: what the features are worth so far, with nothing to train.

    Labels come from data sets of their own, apart from the one being fitted. The accuracy is NaN
    after the epochs that are skipped; the first and the last epoch of a `fit` never are. It is NaN
    too where features are not finite. Put it before callbacks that read it, such as
    `EarlyStopping(monitor="knn_accuracy", mode="max")` or `ResumableCSVLogger`. Patience counts skipped
    epochs too.

        model.fit(x, callbacks=[keras_ssl.callbacks.KNNProbe(train, test, every=5)])

    An accuracy that decides when to stop is no longer a measurement of the model that comes out:
    stop by one data set and report another.

    Args:
        train: Data set with labels, the memory; see `evaluation.extract_features`. Its images are
            read once, into memory.
        test: Data set with labels, the queries; likewise.
        every: Int >= 1, epochs from one measurement to the next.
        k: Int >= 1, neighbors; capped at the number of training images.
        temperature: Float > 0, see `evaluation.knn`.

    Raises:
        ValueError: If a data set is empty or has no labels, or a number is out of range.
        TypeError: If a data set is of another kind.

    Source:
        Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4.
    """

    def __init__(self, train, test, every=1, k=200, temperature=0.1):
        super().__init__()
        check_int(1, every=every, k=k)
        check_positive(temperature=temperature)
        self.train, self.test = images_of("train", train), images_of("test", test)
        for name, (_, labels) in (("train", self.train), ("test", self.test)):
            if labels is None:
                raise ValueError(
                    f"`{name}` has no labels, and accuracy needs them: give elements "
                    "(image, label), or leave this callback out."
                )
        self.every, self.k, self.temperature = every, k, temperature

    def on_train_begin(self, logs=None):
        """Starts anew: where the first value is NaN, Keras's EarlyStopping never sees a better."""
        self._is_first = True

    def on_epoch_end(self, epoch, logs=None):
        """Adds the accuracy, or NaN."""
        is_last = epoch + 1 == self.params.get("epochs")
        logs["knn_accuracy"] = float("nan")
        if (epoch + 1) % self.every and not is_last and not self._is_first:
            return
        self._is_first = False
        (train, train_labels), (test, test_labels) = (
            extract_features(self.model, images) for images in (self.train, self.test)
        )
        if np.isfinite(train).all() and np.isfinite(test).all():
            logs["knn_accuracy"] = knn_from_features(
                train, train_labels, test, test_labels, k=self.k, temperature=self.temperature
            )
