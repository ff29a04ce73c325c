import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_ssl.evaluation import knn, knn_from_features, nearest_neighbors


def knn_accuracy(train, train_labels, test, test_labels, k, temperature):
    """Section 3.4 of Wu et al. 2018, one query at a time, in float64."""
    train, test = np.asarray(train, "float64"), np.asarray(test, "float64")
    num_correct = 0
    for query, label in zip(test, test_labels, strict=True):
        similarity = [x @ query / np.linalg.norm(x) / np.linalg.norm(query) for x in train]
        votes = {}
        for i in sorted(range(len(train)), key=lambda i: -similarity[i])[:k]:
            weight = np.exp(similarity[i] / temperature)
            votes[train_labels[i]] = votes.get(train_labels[i], 0.0) + weight
        num_correct += max(votes, key=votes.get) == label
    return num_correct / len(test)


def noisy_classes(rng, classes=(-7, 0, 3, 1000), noise=2.0):
    means = rng.normal(size=(len(classes), 6))
    class_ids = rng.integers(0, len(classes), 130)
    x = means[class_ids] + noise * rng.normal(size=(130, 6))
    y = np.array(classes)[class_ids]
    return x[:90], y[:90], x[90:], y[90:]


@pytest.mark.parametrize("k", [1, 2, 7, 40, 90])
@pytest.mark.parametrize("temperature", [0.02, 0.1, 5.0])
def test_knn_equals_a_plain_loop(rng, k, temperature):
    data = noisy_classes(rng)
    expected = knn_accuracy(*data, k, temperature)
    assert 0.25 < expected < 0.95  # neither chance nor trivial
    assert knn_from_features(*data, k=k, temperature=temperature) == pytest.approx(expected)


def test_knn_weights_votes_by_temperature():
    """One near neighbor outvotes two far ones at a low temperature only."""
    train, labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), [5, 8, 8]
    test = np.array([[1.0, 0.5]])
    assert knn_from_features(train, labels, test, [5], k=3, temperature=0.1) == 1
    assert knn_from_features(train, labels, test, [8], k=3, temperature=10.0) == 1


@pytest.mark.parametrize("k", [1, 9, 40])
def test_knn_does_not_depend_on_the_size_of_chunks(rng, monkeypatch, k):
    data = noisy_classes(rng)
    expected = knn_from_features(*data, k=k)
    for query_chunk, similarities in ((1, 1), (7, 200), (3, 200), (100, 10_000)):
        monkeypatch.setattr(nearest_neighbors, "QUERY_CHUNK", query_chunk)
        monkeypatch.setattr(nearest_neighbors, "MAX_SIMILARITIES", similarities)
        assert knn_from_features(*data, k=k) == expected


def test_knn_caps_k_at_the_number_of_training_images(rng):
    data = noisy_classes(rng)
    assert knn_from_features(*data, k=1000) == knn_from_features(*data, k=90)


def test_knn_ignores_the_length_of_features(rng):
    train, labels, test, test_labels = noisy_classes(rng)
    longer = train * rng.uniform(0.01, 100, (90, 1))
    assert knn_from_features(longer, labels, test * 50, test_labels, k=9) == knn_from_features(
        train, labels, test, test_labels, k=9
    )


def test_knn_accepts_features_of_zeros(rng):
    train, labels, test, test_labels = noisy_classes(rng)
    assert 0 <= knn_from_features(train * 0, labels, test * 0, test_labels) <= 1


def test_knn_does_not_overflow_at_a_low_temperature(rng):
    data = noisy_classes(rng)
    nearest = knn_from_features(*data, k=1)
    assert knn_from_features(*data, k=90, temperature=1e-5) == nearest


def test_knn_with_center_subtracts_the_mean_of_the_training_features(rng):
    train, labels, test, test_labels = noisy_classes(rng)
    centered = train - train.mean(0), labels, test - train.mean(0), test_labels
    accuracy = knn_from_features(train + 30, labels, test + 30, test_labels, k=9, center=True)
    assert accuracy == pytest.approx(knn_accuracy(*centered, 9, 0.1))


def test_knn_on_the_pixels_of_digits_is_accurate():
    images, labels = load_digits(return_X_y=True)
    images = (images / 16 * 255).astype("uint8").reshape(-1, 8, 8, 1)
    train, test = (images[:1437], labels[:1437]), (images[1437:], labels[1437:])
    flat = [images.reshape(len(images), -1) / 255 for images in (train[0], test[0])]
    expected = knn_accuracy(flat[0], train[1], flat[1][:50], test[1][:50], 20, 0.1)
    assert knn(None, train, (test[0][:50], test[1][:50]), k=20) == pytest.approx(expected)
    assert knn(None, train, test, k=1) > 0.95


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k": 0}, "`k` must be at least 1"),
        ({"temperature": 0}, "`temperature`"),
        ({"temperature": -1.0}, "`temperature`"),
        ({"train_labels": None}, "`train` has no labels"),
        ({"test_labels": None}, "`test` has no labels"),
        ({"train_labels": np.zeros(3)}, "`train` must have features"),
        ({"test_labels": np.zeros((40, 4))}, "`test` must have features"),
        ({"test_features": np.zeros((40, 5))}, "differ in width"),
        ({"train_features": np.full((90, 6), np.nan)}, "`train` has NaN"),
        ({"test_features": np.zeros((0, 6)), "test_labels": np.zeros(0)}, "`test` is empty"),
    ],
)
def test_knn_rejects_bad_values(rng, changed, message):
    names = ("train_features", "train_labels", "test_features", "test_labels")
    arguments = dict(zip(names, noisy_classes(rng), strict=True))
    with pytest.raises(ValueError, match=message):
        knn_from_features(**{**arguments, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k": 2.5}, "`k` must be an int"),
        ({"k": True}, "`k` must be an int"),
        ({"center": 1}, "`center` must be a bool"),
    ],
)
def test_knn_rejects_arguments_of_a_wrong_type(rng, changed, message):
    with pytest.raises(TypeError, match=message):
        knn_from_features(*noisy_classes(rng), **changed)
