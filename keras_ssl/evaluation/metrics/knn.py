"""Weighted k-nearest-neighbor accuracy: what features are worth, with nothing to train."""

import numpy as np

from keras_ssl.evaluation.features import features_of
from keras_ssl.evaluation.metrics.nearest_neighbors import nearest_neighbors
from keras_ssl.validation import check_int, check_labeled_features, check_positive


def knn(model, train, test, k=200, temperature=0.1, center=False, views=None):
    """Share of test images whose nearest training images vote for their class.

    Each of the `k` nearest by cosine similarity `s` votes for its class with weight
    `exp(s / temperature)`.

    Args:
        model: As in `extract_features`; None for the pixels themselves.
        train: Data set with labels, the memory; see `extract_features`.
        test: Data set with labels, the queries.
        k: Int >= 1; capped at the number of training images.
        temperature: Float > 0.
        center: Bool, subtract the mean of the training features from both: fair to pixels, which
            are all positive.
        views: Sequence of views whose mean features count, or None; see `extract_features`.

    Returns:
        Float 0..1.

    Raises:
        ValueError: If a data set is empty or has no labels, or an argument is out of range.
        TypeError: If a data set is of another kind.

    Source:
        Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4.
    """
    memory = features_of("train", model, train, views)
    queries = features_of("test", model, test, views)
    return knn_from_features(*memory, *queries, k=k, temperature=temperature, center=center)


def knn_from_features(
    train_features,
    train_labels,
    test_features,
    test_labels,
    k=200,
    temperature=0.1,
    center=False,
):
    """`knn` of features that are at hand.

    Args:
        train_features: Array `(N, D)`.
        train_labels: Integers `(N,)`.
        test_features: Array `(M, D)`.
        test_labels: Integers `(M,)`.
        k: As in `knn`.
        temperature: As in `knn`.
        center: As in `knn`.

    Returns:
        Float 0..1.

    Raises:
        ValueError: If shapes do not fit, labels are missing, or features are not finite.
    """
    check_int(1, k=k)
    check_positive(temperature=temperature)
    if not isinstance(center, (bool, np.bool_)):
        raise TypeError(f"`center` must be a bool, received {center!r}.")
    check_labeled_features(train=(train_features, train_labels), test=(test_features, test_labels))
    classes, train_classes = np.unique(train_labels, return_inverse=True)
    memory = np.asarray(train_features, "float32")
    queries = np.asarray(test_features, "float32")
    if center:
        mean = memory.mean(0)
        memory, queries = memory - mean, queries - mean
    correct = 0
    for rows, places, near in nearest_neighbors(queries, memory, min(int(k), len(memory))):
        # Relative to the nearest: the same votes, and no overflow at low temperatures.
        near = near.astype("float64")
        weights = np.exp((near - near.max(axis=1, keepdims=True)) / temperature)
        flat = np.arange(len(places))[:, None] * len(classes) + train_classes[places]
        votes = np.bincount(flat.ravel(), weights.ravel(), len(places) * len(classes))
        chosen = classes[votes.reshape(len(places), -1).argmax(axis=1)]
        correct += np.sum(chosen == np.asarray(test_labels)[rows])
    return float(correct / len(queries))
