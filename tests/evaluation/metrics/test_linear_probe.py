import numpy as np
import pytest
from scipy.optimize import minimize

from keras_ssl.evaluation import linear_probe_from_features, low_shot_probe
from keras_ssl.evaluation.metrics import linear_probe


def classes(rng, noise, count=600, width=8, names=(-4, 2, 9)):
    means = rng.normal(size=(len(names), width))
    which = rng.integers(0, len(names), count)
    x = means[which] + noise * rng.normal(size=(count, width))
    y = np.array(names)[which]
    return x[: count // 2], y[: count // 2], x[count // 2 :], y[count // 2 :]


def logistic_regression(train, labels, test, regularization):
    """Minimises the sum of cross-entropies and `regularization |w|^2 / 2` in float64."""
    names, which = np.unique(labels, return_inverse=True)
    rows, shape = len(train), (train.shape[1] + 1, len(names))
    design = np.c_[train, np.ones(rows)]

    def loss(flat):
        w = flat.reshape(shape)
        scores = design @ w
        log_sum = np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1)) + scores.max(1)
        probability = np.exp(scores - log_sum[:, None])
        probability[np.arange(rows), which] -= 1
        gradient = design.T @ probability
        gradient[:-1] += regularization * w[:-1]
        value = (log_sum - scores[np.arange(rows), which]).sum()
        return value + regularization * (w[:-1] ** 2).sum() / 2, gradient.ravel()

    found = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, tol=1e-10)
    return names[(np.c_[test, np.ones(len(test))] @ found.x.reshape(shape)).argmax(1)]


@pytest.mark.parametrize("regularization", [1.0, 300.0])
def test_is_logistic_regression_on_standardized_features(rng, regularization):
    train, labels, test, test_labels = classes(rng, noise=2.0)
    scale = 10.0 ** np.arange(8) / 1000
    train, test = train * scale + 5 * scale, test * scale + 5 * scale
    mean, deviation = train.mean(0), train.std(0)
    deviation = np.maximum(deviation, 1e-3 * deviation.max())
    predicted = logistic_regression(
        (train - mean) / deviation, labels, (test - mean) / deviation, regularization
    )
    right = np.mean(predicted == test_labels)
    assert 0.4 < right < 0.95
    found = linear_probe_from_features(train, labels, test, test_labels, regularization)
    assert found == pytest.approx(right, abs=1.01 / len(test))


def test_separable_classes_are_told_apart(rng):
    assert linear_probe_from_features(*classes(rng, noise=0.05)) == 1


def test_two_classes_work_and_labels_of_no_meaning_give_chance(rng):
    train, labels, test, test_labels = classes(rng, noise=0.1, names=(0, 1))
    assert linear_probe_from_features(train, labels, test, test_labels) == 1
    accuracy = linear_probe_from_features(rng.normal(size=(300, 8)), labels, test, test_labels)
    assert accuracy < 0.8


def test_dead_features_change_nothing(rng):
    train, labels, test, test_labels = classes(rng, noise=2.0)
    dead = np.full((300, 2), 1000.1)
    alive = linear_probe_from_features(train, labels, test, test_labels)
    found = linear_probe_from_features(np.c_[train, dead], labels, np.c_[test, dead], test_labels)
    assert found == pytest.approx(alive, abs=1.01 / 300)


def test_probes_the_images_of_a_data_set(rng):
    names = rng.integers(0, 2, 60)
    images = (rng.random((60, 4, 4, 1)) * 0.3 + 0.5 * names[:, None, None, None]).astype("float32")
    assert linear_probe(None, (images[:40], names[:40]), (images[40:], names[40:])) == 1


def test_few_labels_sees_no_other_labels(rng):
    train, labels, test, test_labels = classes(rng, noise=0.3)
    accuracies = low_shot_probe(
        train, labels, test, test_labels, labels_per_class=5, seeds=range(3)
    )
    assert accuracies.shape == (3,)
    assert accuracies.min() > 0.9
    # All of them seen: the whole of the training set, whatever the draw.
    _, counts = np.unique(labels, return_counts=True)
    even = np.concatenate([np.flatnonzero(labels == c)[: counts.min()] for c in np.unique(labels)])
    each = low_shot_probe(
        train[even], labels[even], test, test_labels, counts.min(), seeds=range(2)
    )
    whole = linear_probe_from_features(train[even], labels[even], test, test_labels)
    np.testing.assert_allclose(each, whole, atol=1.01 / 300)


def test_few_labels_draws_others_for_each_seed_and_the_same_for_one(rng):
    sets = classes(rng, noise=3.0)
    first = low_shot_probe(*sets, labels_per_class=2, seeds=range(6))
    np.testing.assert_array_equal(first, low_shot_probe(*sets, labels_per_class=2, seeds=range(6)))
    assert len(set(first)) > 1


def test_names_a_bad_argument(rng):
    train, labels, test, test_labels = classes(rng, noise=1.0)
    sets = (train, labels, test, test_labels)
    with pytest.raises(ValueError, match="`regularization`"):
        linear_probe_from_features(*sets, regularization=0)
    with pytest.raises(ValueError, match="`max_iterations`"):
        linear_probe_from_features(*sets, max_iterations=0)
    with pytest.raises(ValueError, match="`train` has one class only"):
        linear_probe_from_features(train, labels * 0, test, test_labels)
    with pytest.raises(ValueError, match="`train` has no labels"):
        linear_probe_from_features(train, None, test, test_labels)
    with pytest.raises(ValueError, match="`labels_per_class` is 200, and class"):
        low_shot_probe(*sets, labels_per_class=200)
    with pytest.raises(ValueError, match="`labels_per_class` must be an int"):
        low_shot_probe(*sets, labels_per_class=0)
    with pytest.raises(ValueError, match="`seeds` is empty"):
        low_shot_probe(*sets, labels_per_class=1, seeds=())
