"""Accuracy of a linear classifier on frozen features."""

import operator
import warnings
from collections.abc import Sequence

import keras
import numpy as np

from keras_ssl._types import Dataset, Tensor, Views
from keras_ssl.evaluation.features import compute_features
from keras_ssl.evaluation.metrics.inputs import check_labeled_features
from keras_ssl.validation import check_int, check_positive

MIN_RELATIVE_DEVIATION = 1e-3  # of the largest; nearly constant features are not amplified
LOW_SHOT_ITERATIONS = 1000  # at most; an iteration on a few labels is cheap


def linear_probe(
    model: keras.Model | None,
    train: Dataset,
    test: Dataset,
    regularization: float = 1.0,
    max_iterations: int = 200,
    views: Views | None = None,
) -> float:
    """Accuracy of a linear classifier that is trained on the features of a model.

    The classifier is a multinomial logistic regression with an L2 penalty, trained by L-BFGS.
    Features are standardized with the mean and standard deviation of the training features.

    Args:
        model: As in `extract_features`; None uses the pixels.
        train: Dataset with labels to train on, see `extract_features`.
        test: Dataset with labels to test on.
        regularization: Float > 0, the weight of `|w|^2 / 2` against the sum of the
            cross-entropies.
        max_iterations: Int >= 1, the largest number of L-BFGS iterations.
        views: Sequence of views whose mean features are used, or None; see `extract_features`.

    Returns:
        Float 0..1, the fraction of test images that are classified correctly.

    Raises:
        ValueError: If a dataset is empty or has no labels, or an argument is out of range.
        TypeError: If an argument is of an unsupported type.

    Source:
        The protocol of Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 4, without
        augmentation; scikit-learn's LogisticRegression.
    """
    train_features = compute_features(model, train, "train", views=views)
    test_features = compute_features(model, test, "test", views=views)
    return linear_probe_from_features(
        *train_features, *test_features, regularization, max_iterations
    )


def linear_probe_from_features(
    train_features: Tensor,
    train_labels: Tensor,
    test_features: Tensor,
    test_labels: Tensor,
    regularization: float = 1.0,
    max_iterations: int = 200,
) -> float:
    """Accuracy of a linear classifier on precomputed features, as in `linear_probe`.

    Args:
        train_features: Array `(N, D)`.
        train_labels: Integers or strings `(N,)`, at least two classes.
        test_features: Array `(M, D)`.
        test_labels: Integers or strings `(M,)`.
        regularization: As in `linear_probe`.
        max_iterations: As in `linear_probe`.

    Returns:
        Float 0..1.

    Raises:
        ValueError: If the shapes do not match, labels are missing, features are not finite, or an
            argument is out of range.
        TypeError: If an argument is of an unsupported type.
    """
    check_labeled_features(train=(train_features, train_labels), test=(test_features, test_labels))
    train_features, test_features = _standardize(train_features, test_features)
    return _classification_accuracy(
        train_features, train_labels, test_features, test_labels, regularization, max_iterations
    )


def low_shot_probe(
    train_features: Tensor,
    train_labels: Tensor,
    test_features: Tensor,
    test_labels: Tensor,
    labels_per_class: int,
    seeds: Sequence[int] = range(5),
    regularization: float = 1.0,
) -> np.ndarray:
    """Accuracy of a linear classifier that is trained on a few labels of each class.

    Features are standardized with all training images, which needs no labels.

    Args:
        train_features: Array `(N, D)`.
        train_labels: Integers or strings `(N,)`. Only `labels_per_class` of each class are used.
        test_features: Array `(M, D)`.
        test_labels: Integers or strings `(M,)`.
        labels_per_class: Int >= 1, the number of labels of each class.
        seeds: Sequence of ints >= 0. Each seed draws other labels.
        regularization: As in `linear_probe`.

    Returns:
        Float array of accuracies 0..1, one for each seed.

    Raises:
        ValueError: If `seeds` is empty, a class has fewer than `labels_per_class` images, or as in
            `linear_probe_from_features`.
        TypeError: If an argument is of an unsupported type.
    """
    check_int(1, labels_per_class=labels_per_class)
    seeds = _as_seeds(seeds)
    check_labeled_features(train=(train_features, train_labels), test=(test_features, test_labels))
    train_labels = np.asarray(train_labels)
    classes, counts = np.unique(train_labels, return_counts=True)
    if counts.min() < labels_per_class:
        raise ValueError(
            "`labels_per_class` must not exceed the number of training images of any class. "
            f"Received {labels_per_class}; class {classes[counts.argmin()]} has only "
            f"{counts.min()} images."
        )
    train_features, test_features = _standardize(train_features, test_features)
    accuracies = []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(train_labels))
        shuffled_labels = train_labels[order]
        labeled = np.concatenate([order[shuffled_labels == c][:labels_per_class] for c in classes])
        accuracies.append(
            _classification_accuracy(
                train_features[labeled],
                train_labels[labeled],
                test_features,
                test_labels,
                regularization,
                LOW_SHOT_ITERATIONS,
            )
        )
    return np.array(accuracies)


def _as_seeds(seeds):
    try:
        values = [operator.index(seed) for seed in seeds]
    except TypeError as error:
        raise TypeError(f"`seeds` must be a sequence of ints. Received {seeds!r}.") from error
    if not values:
        raise ValueError("`seeds` is empty. Pass at least one seed.")
    if min(values) < 0:
        raise ValueError(f"`seeds` must be at least 0. Received {values}.")
    return values


def _standardize(train, test):
    train, test = np.asarray(train, "float32"), np.asarray(test, "float32")
    mean = train.mean(0, dtype="float64").astype("float32")
    train, test = train - mean, test - mean
    deviation = np.sqrt(np.einsum("ij,ij->j", train, train) / len(train))
    deviation = np.maximum(deviation, max(MIN_RELATIVE_DEVIATION * deviation.max(), 1e-12))
    return train / deviation, test / deviation


def _classification_accuracy(
    train_features, train_labels, test_features, test_labels, regularization, max_iterations
):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    check_positive(regularization=regularization)
    check_int(1, max_iterations=max_iterations)
    if len(np.unique(train_labels)) < 2:
        raise ValueError("`train` must have at least two classes. Received one class.")
    classifier = LogisticRegression(C=1 / regularization, max_iter=int(max_iterations))
    # One thread takes seconds. Several threads on busy cores spin and took 30 times as long.
    with threadpool_limits(1), warnings.catch_warnings():
        # The number of iterations is part of the protocol.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(train_features, train_labels)
    return float(np.mean(classifier.predict(test_features) == np.asarray(test_labels)))
