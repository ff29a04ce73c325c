import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_ssl.evaluation import knn_from_features
from keras_ssl.evaluation.metrics import knn, nearest_neighbors


def expected(train, train_labels, test, test_labels, k, temperature):
    """Section 3.4 of Wu et al. 2018, one query after another, in float64."""
    train, test = np.asarray(train, "float64"), np.asarray(test, "float64")
    right = 0
    for query, label in zip(test, test_labels, strict=True):
        similarity = [x @ query / np.linalg.norm(x) / np.linalg.norm(query) for x in train]
        votes = {}
        for i in sorted(range(len(train)), key=lambda i: -similarity[i])[:k]:
            weight = np.exp(similarity[i] / temperature)
            votes[train_labels[i]] = votes.get(train_labels[i], 0.0) + weight
        right += max(votes, key=votes.get) == label
    return right / len(test)


def noisy_classes(rng, classes=(-7, 0, 3, 1000), noise=2.0):
    means = rng.normal(size=(len(classes), 6))
    which = rng.integers(0, len(classes), 130)
    x = means[which] + noise * rng.normal(size=(130, 6))
    y = np.array(classes)[which]
    return x[:90], y[:90], x[90:], y[90:]


@pytest.mark.parametrize("k", [1, 2, 7, 40, 90])
@pytest.mark.parametrize("temperature", [0.02, 0.1, 5.0])
def test_matches_a_plain_loop(rng, k, temperature):
    sets = noisy_classes(rng)
    right = expected(*sets, k, temperature)
    assert 0.25 < right < 0.95  # neither chance nor trivial
    assert knn_from_features(*sets, k=k, temperature=temperature) == pytest.approx(right)


def test_the_weights_of_the_votes_decide(rng):
    """One near neighbor outvotes two far ones at a low temperature only."""
    train, labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), [5, 8, 8]
    test = np.array([[1.0, 0.5]])
    assert knn_from_features(train, labels, test, [5], k=3, temperature=0.1) == 1
    assert knn_from_features(train, labels, test, [8], k=3, temperature=10.0) == 1


@pytest.mark.parametrize("k", [1, 9, 40])
def test_the_pieces_do_not_change_the_answer(rng, monkeypatch, k):
    sets = noisy_classes(rng)
    whole = knn_from_features(*sets, k=k)
    for rows, similarities in ((1, 1), (7, 200), (3, 200), (100, 10_000)):
        monkeypatch.setattr(nearest_neighbors, "ROWS", rows)
        monkeypatch.setattr(nearest_neighbors, "SIMILARITIES", similarities)
        assert knn_from_features(*sets, k=k) == whole


@pytest.mark.parametrize("memory", [40, 1000, 4001])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_all_that_are_nearest_are_found(rng, monkeypatch, memory, k):
    monkeypatch.setattr(nearest_neighbors, "SIMILARITIES", 128 * 1500)
    known, queries = rng.normal(size=(memory, 6)), rng.normal(size=(200, 6))
    cosine = queries @ known.T / np.linalg.norm(known, axis=1)
    cosine /= np.linalg.norm(queries, axis=1)[:, None]
    arrays = queries.astype("float32"), known.astype("float32")
    for rows, places, near in nearest_neighbors.nearest_neighbors(*arrays, k):
        best = np.argsort(cosine[rows], axis=1)[:, -k:]
        np.testing.assert_array_equal(np.sort(places, axis=1), np.sort(best, axis=1))
        found = np.take_along_axis(cosine[rows], places, 1)
        np.testing.assert_allclose(near, found, atol=1e-6)
    assert rows.stop >= 200


def test_k_is_capped_at_the_size_of_the_memory(rng):
    sets = noisy_classes(rng)
    assert knn_from_features(*sets, k=1000) == knn_from_features(*sets, k=90)


def test_the_length_of_a_feature_does_not_count(rng):
    train, labels, test, test_labels = noisy_classes(rng)
    longer = train * rng.uniform(0.01, 100, (90, 1))
    assert knn_from_features(longer, labels, test * 50, test_labels, k=9) == knn_from_features(
        train, labels, test, test_labels, k=9
    )


def test_features_of_zeros_are_no_error(rng):
    train, labels, test, test_labels = noisy_classes(rng)
    assert 0 <= knn_from_features(train * 0, labels, test * 0, test_labels) <= 1


def test_a_low_temperature_does_not_overflow(rng):
    sets = noisy_classes(rng)
    nearest = knn_from_features(*sets, k=1)
    assert knn_from_features(*sets, k=90, temperature=1e-5) == nearest


def test_centering_takes_off_the_mean_of_the_training_features(rng):
    train, labels, test, test_labels = noisy_classes(rng)
    centered = train - train.mean(0), labels, test - train.mean(0), test_labels
    found = knn_from_features(train + 30, labels, test + 30, test_labels, k=9, center=True)
    assert found == pytest.approx(expected(*centered, 9, 0.1))


def test_the_pixels_of_digits_tell_most_of_their_classes():
    images, labels = load_digits(return_X_y=True)
    images = (images / 16 * 255).astype("uint8").reshape(-1, 8, 8, 1)
    train, test = (images[:1437], labels[:1437]), (images[1437:], labels[1437:])
    flat = [part.reshape(len(part), -1) / 255 for part in (train[0], test[0])]
    right = expected(flat[0], train[1], flat[1][:50], test[1][:50], 20, 0.1)
    assert knn(None, train, (test[0][:50], test[1][:50]), k=20) == pytest.approx(right)
    assert knn(None, train, test, k=1) > 0.95


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k": 0}, "`k`"),
        ({"k": 2.5}, "`k`"),
        ({"k": True}, "`k`"),
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
def test_names_a_bad_argument(rng, changed, message):
    names = ("train_features", "train_labels", "test_features", "test_labels")
    arguments = dict(zip(names, noisy_classes(rng), strict=True))
    with pytest.raises(ValueError, match=message):
        knn_from_features(**{**arguments, **changed})
