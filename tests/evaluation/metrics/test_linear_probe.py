import numpy as np
import pytest
from scipy.optimize import minimize

from keras_ssl.evaluation import linear_probe, linear_probe_from_features, low_shot_probe


def noisy_classes(rng, noise, count=600, width=8, names=(-4, 2, 9)):
    means = rng.normal(size=(len(names), width))
    class_ids = rng.integers(0, len(names), count)
    x = means[class_ids] + noise * rng.normal(size=(count, width))
    y = np.array(names)[class_ids]
    return x[: count // 2], y[: count // 2], x[count // 2 :], y[count // 2 :]


def logistic_regression(train, labels, test, regularization):
    """Minimizes the sum of cross-entropies and `regularization |w|^2 / 2` in float64."""
    names, class_ids = np.unique(labels, return_inverse=True)
    num_rows, shape = len(train), (train.shape[1] + 1, len(names))
    design = np.c_[train, np.ones(num_rows)]

    def loss(flat):
        w = flat.reshape(shape)
        scores = design @ w
        log_sum = np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1)) + scores.max(1)
        probability = np.exp(scores - log_sum[:, None])
        probability[np.arange(num_rows), class_ids] -= 1
        gradient = design.T @ probability
        gradient[:-1] += regularization * w[:-1]
        value = (log_sum - scores[np.arange(num_rows), class_ids]).sum()
        return value + regularization * (w[:-1] ** 2).sum() / 2, gradient.ravel()

    solution = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, tol=1e-10)
    return names[(np.c_[test, np.ones(len(test))] @ solution.x.reshape(shape)).argmax(1)]


@pytest.mark.parametrize("regularization", [1.0, 300.0])
def test_linear_probe_is_logistic_regression_on_standardized_features(rng, regularization):
    train, labels, test, test_labels = noisy_classes(rng, noise=2.0)
    scale = 10.0 ** np.arange(8) / 1000
    train, test = train * scale + 5 * scale, test * scale + 5 * scale
    mean, deviation = train.mean(0), train.std(0)
    deviation = np.maximum(deviation, 1e-3 * deviation.max())
    predicted = logistic_regression(
        (train - mean) / deviation, labels, (test - mean) / deviation, regularization
    )
    expected = np.mean(predicted == test_labels)
    assert 0.4 < expected < 0.95
    accuracy = linear_probe_from_features(train, labels, test, test_labels, regularization)
    assert accuracy == pytest.approx(expected, abs=1.01 / len(test))


def test_linear_probe_standardizes_test_images_by_the_training_images():
    train, labels = np.array([[-1.0], [1.0]] * 20), np.array([0, 1] * 20)
    test = np.linspace(0.5, 1.5, 11)[:, None]  # all of class 1, and on both sides of their mean
    assert linear_probe_from_features(train, labels, test, np.ones(11, int)) == 1


def test_linear_probe_separates_separable_classes(rng):
    assert linear_probe_from_features(*noisy_classes(rng, noise=0.05)) == 1


def test_linear_probe_supports_two_classes_and_fails_on_noise(rng):
    train, labels, test, test_labels = noisy_classes(rng, noise=0.1, names=(0, 1))
    assert linear_probe_from_features(train, labels, test, test_labels) == 1
    accuracy = linear_probe_from_features(rng.normal(size=(300, 8)), labels, test, test_labels)
    assert accuracy < 0.8


def test_linear_probe_ignores_constant_features(rng):
    train, labels, test, test_labels = noisy_classes(rng, noise=2.0)
    constant = np.full((300, 2), 1000.1)
    expected = linear_probe_from_features(train, labels, test, test_labels)
    accuracy = linear_probe_from_features(
        np.c_[train, constant], labels, np.c_[test, constant], test_labels
    )
    assert accuracy == pytest.approx(expected, abs=1.01 / 300)


def test_linear_probe_measures_the_images_of_a_dataset(rng):
    labels = rng.integers(0, 2, 60)
    images = (rng.random((60, 4, 4, 1)) * 0.3 + 0.5 * labels[:, None, None, None]).astype("float32")
    assert linear_probe(None, (images[:40], labels[:40]), (images[40:], labels[40:])) == 1


def test_low_shot_probe_uses_the_given_number_of_labels(rng):
    train, labels, test, test_labels = noisy_classes(rng, noise=0.3)
    accuracies = low_shot_probe(
        train, labels, test, test_labels, labels_per_class=5, seeds=range(3)
    )
    assert accuracies.shape == (3,)
    assert accuracies.min() > 0.9
    # With all labels, each draw is the whole training set.
    _, counts = np.unique(labels, return_counts=True)
    balanced = np.concatenate(
        [np.flatnonzero(labels == c)[: counts.min()] for c in np.unique(labels)]
    )
    accuracies = low_shot_probe(
        train[balanced], labels[balanced], test, test_labels, counts.min(), seeds=range(2)
    )
    expected = linear_probe_from_features(train[balanced], labels[balanced], test, test_labels)
    np.testing.assert_allclose(accuracies, expected, atol=1.01 / 300)


def test_low_shot_probe_draws_labels_by_seed(rng):
    data = noisy_classes(rng, noise=3.0)
    first = low_shot_probe(*data, labels_per_class=2, seeds=range(6))
    np.testing.assert_array_equal(first, low_shot_probe(*data, labels_per_class=2, seeds=range(6)))
    assert len(set(first)) > 1


def test_probes_reject_bad_arguments(rng):
    train, labels, test, test_labels = noisy_classes(rng, noise=1.0)
    data = (train, labels, test, test_labels)
    with pytest.raises(ValueError, match="`regularization`"):
        linear_probe_from_features(*data, regularization=0)
    with pytest.raises(ValueError, match="`max_iterations`"):
        linear_probe_from_features(*data, max_iterations=0)
    with pytest.raises(ValueError, match="`train` must have at least two classes"):
        linear_probe_from_features(train, labels * 0, test, test_labels)
    with pytest.raises(ValueError, match="`train` has no labels"):
        linear_probe_from_features(train, None, test, test_labels)
    with pytest.raises(
        ValueError, match=r"`labels_per_class` must not exceed .* Received 200; class"
    ):
        low_shot_probe(*data, labels_per_class=200)
    with pytest.raises(ValueError, match="`labels_per_class` must be at least 1"):
        low_shot_probe(*data, labels_per_class=0)
    with pytest.raises(ValueError, match="`seeds` is empty"):
        low_shot_probe(*data, labels_per_class=1, seeds=())
