"""Weighted k-nearest-neighbor accuracy."""

import keras
import numpy as np

from keras_ssl._types import Dataset, Tensor, Views
from keras_ssl.evaluation.features import compute_features
from keras_ssl.evaluation.metrics.inputs import check_labeled_features
from keras_ssl.evaluation.nearest_neighbors import nearest_neighbors
from keras_ssl.validation import check_int, check_positive


def knn(
    model: keras.Model | None,
    train: Dataset,
    test: Dataset,
    k: int = 200,
    temperature: float = 0.1,
    center: bool = False,
    views: Views | None = None,
) -> float:
    """Accuracy of a weighted k-nearest-neighbor classifier on the features of a model.

    Each of the `k` training images with the largest cosine similarity `s` to a test image votes
    for its class with weight `exp(s / temperature)`. Nothing is trained.

    Args:
        model: As in `extract_features`; None uses the pixels.
        train: Dataset with labels, see `extract_features`. Its images vote.
        test: Dataset with labels. Its images are classified.
        k: Int >= 1, the number of neighbors, capped at the number of training images.
        temperature: Float > 0.
        center: Bool, whether to subtract the mean of the training features from all features.
            Use it for pixels, which are all positive and therefore all similar.
        views: Sequence of views whose mean features are used, or None; see `extract_features`.

    Returns:
        Float 0..1.

    Raises:
        ValueError: If a dataset is empty or has no labels, or an argument is out of range.
        TypeError: If an argument is of an unsupported type.

    Source:
        Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4.
    """
    train_features = compute_features(model, train, "train", views=views)
    test_features = compute_features(model, test, "test", views=views)
    return knn_from_features(
        *train_features, *test_features, k=k, temperature=temperature, center=center
    )


def knn_from_features(
    train_features: Tensor,
    train_labels: Tensor,
    test_features: Tensor,
    test_labels: Tensor,
    k: int = 200,
    temperature: float = 0.1,
    center: bool = False,
) -> float:
    """Accuracy of a weighted k-nearest-neighbor classifier on precomputed features, as in `knn`.

    Args:
        train_features: Array `(N, D)`.
        train_labels: Integers or strings `(N,)`.
        test_features: Array `(M, D)`.
        test_labels: Integers or strings `(M,)`.
        k: As in `knn`.
        temperature: As in `knn`.
        center: As in `knn`.

    Returns:
        Float 0..1.

    Raises:
        ValueError: If the shapes do not match, labels are missing, features are not finite, or an
            argument is out of range.
        TypeError: If an argument is of an unsupported type.
    """
    check_int(1, k=k)
    check_positive(temperature=temperature)
    if not isinstance(center, (bool, np.bool_)):
        raise TypeError(f"`center` must be a bool. Received {center!r}.")
    check_labeled_features(train=(train_features, train_labels), test=(test_features, test_labels))
    classes, train_classes = np.unique(train_labels, return_inverse=True)
    train_features = np.asarray(train_features, "float32")
    test_features = np.asarray(test_features, "float32")
    if center:
        mean = train_features.mean(0)
        train_features, test_features = train_features - mean, test_features - mean
    k = min(int(k), len(train_features))
    num_correct = 0
    for rows, indices, similarities in nearest_neighbors(test_features, train_features, k):
        # Similarities relative to the nearest neighbor's give the same votes, and do not overflow
        # at low temperatures.
        similarities = similarities.astype("float64")
        nearest = similarities.max(axis=1, keepdims=True)
        weights = np.exp((similarities - nearest) / temperature)
        num_queries = len(indices)
        bins = np.arange(num_queries)[:, None] * len(classes) + train_classes[indices]
        votes = np.bincount(bins.ravel(), weights.ravel(), num_queries * len(classes))
        predicted = classes[votes.reshape(num_queries, -1).argmax(axis=1)]
        num_correct += np.sum(predicted == np.asarray(test_labels)[rows])
    return float(num_correct / len(test_features))
