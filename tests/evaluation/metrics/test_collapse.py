import numpy as np
import pytest

from keras_ssl.evaluation import alignment, feature_std, rankme, uniformity
from keras_ssl.evaluation.metrics import collapse


@pytest.fixture
def features(rng):
    return rng.normal(size=(40, 6)) * [3, 2, 1, 1, 0.1, 0.01] + 0.5


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_rankme_is_equation_1_of_the_paper(features):
    # Singular values as the square roots of the eigenvalues of the Gram matrix.
    singular = np.sqrt(np.maximum(np.linalg.eigvalsh(features.T @ features), 0))
    p = singular / np.sum(np.abs(singular)) + 1e-7
    assert rankme(features) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-9)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_rankme_counts_equal_dimensions(rank):
    assert rankme(np.eye(8)[:, :5] * (np.arange(5) < rank)) == pytest.approx(rank, rel=1e-4)


def test_rankme_of_one_repeated_row_is_one(rng):
    assert rankme(np.repeat(rng.normal(size=(1, 6)), 20, axis=0)) == pytest.approx(1, abs=1e-4)
    assert rankme(np.zeros((20, 6))) == pytest.approx(1, abs=1e-4)


def test_feature_std_is_the_standard_deviation_of_normalized_rows(features):
    columns = [np.std([row[i] for row in unit(features)]) for i in range(6)]
    assert feature_std(features) == pytest.approx(np.mean(columns), rel=1e-12)


def test_feature_std_of_collapsed_and_of_evenly_spread_features(rng):
    # Section 4.1 of Chen and He: 1 / sqrt(D) if rows are isotropic Gaussian.
    assert feature_std(rng.normal(size=(20000, 16))) == pytest.approx(1 / 4, rel=0.02)
    direction = rng.normal(size=(1, 16))
    assert feature_std(direction * rng.uniform(1, 9, (50, 1))) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_alignment_is_equation_5_of_the_paper(features, rng, power):
    other = features + rng.normal(size=features.shape)
    distances = [
        np.linalg.norm(a - b) ** power for a, b in zip(unit(features), unit(other), strict=True)
    ]
    assert alignment(features, other, power) == pytest.approx(np.mean(distances), rel=1e-12)
    assert alignment(features, features * 3) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("max_distances", [1, 100, 2**22])
def test_uniformity_is_equation_6_of_the_paper(features, max_distances, monkeypatch):
    monkeypatch.setattr(collapse, "MAX_DISTANCES", max_distances)
    x = unit(features)
    potentials = [
        np.exp(-3 * np.sum((x[i] - x[j]) ** 2)) for i in range(40) for j in range(40) if i != j
    ]
    assert uniformity(features, 3) == pytest.approx(np.log(np.mean(potentials)), rel=1e-9)


def test_uniformity_of_equal_and_of_opposite_rows(rng):
    direction = rng.normal(size=(1, 5))
    assert uniformity(np.repeat(direction, 9, axis=0)) == pytest.approx(0, abs=1e-9)
    # Two rows at distance 2: log exp(-2 * 4).
    assert uniformity(np.concatenate([direction, -direction])) == pytest.approx(-8, rel=1e-9)


@pytest.mark.parametrize("metric", [rankme, feature_std, uniformity])
def test_collapse_metrics_reject_bad_features(metric):
    for bad in (np.zeros(4), np.zeros((0, 4)), np.zeros((2, 3, 4))):
        with pytest.raises(ValueError, match=r"`features` must have shape \(N, D\)"):
            metric(bad)
    with pytest.raises(ValueError, match="`features` has NaN"):
        metric(np.array([[1.0, np.nan], [0.0, 1.0]]))


def test_alignment_rejects_different_shapes_and_uniformity_a_single_row(features):
    with pytest.raises(ValueError, match=r"same shape. Received \(40, 6\) and \(39, 6\)"):
        alignment(features, features[1:])
    with pytest.raises(ValueError, match="at least two rows"):
        uniformity(features[:1])
