"""Accuracy of a linear classifier on frozen features, with all labels or with few."""

import operator
import warnings

import numpy as np

from keras_ssl.evaluation.features import features_of
from keras_ssl.validation import check_int, check_labeled_features, check_positive


def linear_probe(model, train, test, regularization=1.0, max_iterations=200, views=None):
    """Trains a linear classifier on the features of one data set and tests it on another.

    Multinomial logistic regression with an L2 penalty, by L-BFGS, on features standardized with
    the mean and deviation of the training images.

    Args:
        model: As in `extract_features`; None for the pixels themselves.
        train: Data set with labels to train on; see `extract_features`.
        test: Data set with labels to test on.
        regularization: Float > 0, weight of `|w|^2 / 2` against the sum of the cross-entropies.
        max_iterations: Int >= 1, passes of L-BFGS at most.
        views: Sequence of views whose mean features count, or None; see `extract_features`.

    Returns:
        Float 0..1, the share of test images classified right.

    Raises:
        ValueError: If a data set is empty or has no labels, or an argument is out of range.
        TypeError: If a data set is of another kind.

    Source:
        The protocol of Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 4, without
        augmentation; scikit-learn's LogisticRegression.
    """
    memory = features_of("train", model, train, views)
    queries = features_of("test", model, test, views)
    return linear_probe_from_features(*memory, *queries, regularization, max_iterations)


def linear_probe_from_features(
    train_features,
    train_labels,
    test_features,
    test_labels,
    regularization=1.0,
    max_iterations=200,
):
    """`linear_probe` of features that are at hand.

    Args:
        train_features: Array `(N, D)`.
        train_labels: Integers `(N,)`, two classes or more.
        test_features: Array `(M, D)`.
        test_labels: Integers `(M,)`.
        regularization: As in `linear_probe`.
        max_iterations: As in `linear_probe`.

    Returns:
        Float 0..1.

    Raises:
        ValueError: If shapes do not fit, labels are missing, or features are not finite.
    """
    check_labeled_features(train=(train_features, train_labels), test=(test_features, test_labels))
    train_features, test_features = _standardized(train_features, test_features)
    return _accuracy(
        train_features, train_labels, test_features, test_labels, regularization, max_iterations
    )


def low_shot_probe(
    train_features,
    train_labels,
    test_features,
    test_labels,
    labels_per_class,
    seeds=range(5),
    regularization=1.0,
):
    """Accuracy of a linear classifier that sees the labels of a few images of each class.

    Features are standardized with all training images, which needs no label.

    Args:
        train_features: Array `(N, D)`.
        train_labels: Integers `(N,)`; `labels_per_class` of each class are looked at.
        test_features: Array `(M, D)`.
        test_labels: Integers `(M,)`.
        labels_per_class: Int >= 1, labels of each class.
        seeds: Ints; each draws other labels.
        regularization: As in `linear_probe`.

    Returns:
        Array of accuracies 0..1, one for each seed.

    Raises:
        ValueError: If `seeds` is empty, a class has fewer than `labels_per_class` images, or as in
            `linear_probe`.
    """
    check_int(1, labels_per_class=labels_per_class)
    seeds = _ints(seeds)
    check_labeled_features(train=(train_features, train_labels), test=(test_features, test_labels))
    train_labels = np.asarray(train_labels)
    classes, counts = np.unique(train_labels, return_counts=True)
    if counts.min() < labels_per_class:
        raise ValueError(
            f"`labels_per_class` is {labels_per_class}, and class {classes[counts.argmin()]} has only "
            f"{counts.min()} images."
        )
    train_features, test_features = _standardized(train_features, test_features)
    accuracies = []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(train_labels))
        chosen = np.concatenate(
            [order[train_labels[order] == c][:labels_per_class] for c in classes]
        )
        accuracies.append(
            _accuracy(
                train_features[chosen],
                train_labels[chosen],
                test_features,
                test_labels,
                regularization,
                1000,
            )
        )
    return np.array(accuracies)


def _ints(seeds):
    try:
        seeds = [operator.index(seed) for seed in seeds]
    except TypeError as error:
        raise TypeError(f"`seeds` must be ints, received {seeds!r}.") from error
    if not seeds:
        raise ValueError("`seeds` is empty: there is no draw of labels to average.")
    if min(seeds) < 0:
        raise ValueError(f"`seeds` must be ints of 0 or more, received {seeds}.")
    return seeds


def _standardized(train, test):
    train, test = np.asarray(train, "float32"), np.asarray(test, "float32")
    mean = train.mean(0, dtype="float64").astype("float32")
    train, test = train - mean, test - mean
    deviation = np.sqrt(np.einsum("ij,ij->j", train, train) / len(train))
    # A feature that hardly varies says nothing, and would be blown up.
    deviation = np.maximum(deviation, max(1e-3 * deviation.max(), 1e-12))
    return train / deviation, test / deviation


def _accuracy(train_features, train_labels, test_features, test_labels, regularization, iterations):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    check_positive(regularization=regularization)
    check_int(1, max_iterations=iterations)
    if len(np.unique(train_labels)) < 2:
        raise ValueError("`train` has one class only: there is nothing to tell apart.")
    classifier = LogisticRegression(C=1 / regularization, max_iter=int(iterations))
    # Threads that wait for a core others use made it 30 times slower; one takes seconds.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is the protocol
        classifier.fit(train_features, train_labels)
    return float(np.mean(classifier.predict(test_features) == np.asarray(test_labels)))
