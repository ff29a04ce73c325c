"""Label-free metrics of collapse, alignment and uniformity of features."""

import numpy as np

from keras_ssl._types import Tensor
from keras_ssl.evaluation.metrics.inputs import as_array
from keras_ssl.numerics import normalize_rows
from keras_ssl.validation import check_positive

MAX_DISTANCES = 2**22  # pairwise distances held at a time: 32 MiB of float64
RANKME_EPSILON = 1e-7  # the paper's


def rankme(features: Tensor) -> float:
    """Effective rank: the number of dimensions that the features use.

    Args:
        features: Array `(N, D)`, ideally with N several times D.

    Returns:
        Float 1..min(N, D): `exp` of the entropy of the singular values, normalized to sum to 1.

    Raises:
        ValueError: If `features` is not `(N, D)`, empty or not finite.

    Source:
        Garrido et al. 2023, https://arxiv.org/abs/2210.02885, equation 1 (epsilon 1e-7).
    """
    singular_values = np.linalg.svd(_as_features(features=features)[0], compute_uv=False)
    p = singular_values / max(singular_values.sum(), 1e-300) + RANKME_EPSILON
    return float(np.exp(-np.sum(p * np.log(p))))


def feature_std(features: Tensor) -> float:
    """Standard deviation of each dimension of the normalized features, averaged.

    Args:
        features: Array `(N, D)`. Rows are normalized by this function.

    Returns:
        Float: 0 if all rows have the same direction, about `1 / sqrt(D)` if the directions are
        spread evenly.

    Raises:
        ValueError: If `features` is not `(N, D)`, empty or not finite.

    Source:
        Chen and He 2021, https://arxiv.org/abs/2011.10566, section 4.1.
    """
    return float(normalize_rows(_as_features(features=features)[0]).std(axis=0).mean())


def alignment(features_1: Tensor, features_2: Tensor, power: float = 2) -> float:
    """Mean distance between the features of two views of each image. Lower is better.

    Args:
        features_1: Array `(N, D)`, features of view 1. Rows are normalized by this function.
        features_2: Array `(N, D)`, features of view 2, in the same order.
        power: Float > 0, the exponent of the distance.

    Returns:
        Float >= 0; 0 if the views agree.

    Raises:
        ValueError: If the shapes differ, or an array is not `(N, D)`, empty or not finite.

    Source:
        Wang and Isola 2020, https://arxiv.org/abs/2005.10242, equation 5.
    """
    check_positive(power=power)
    first, second = _as_features(features_1=features_1, features_2=features_2)
    if first.shape != second.shape:
        raise ValueError(
            "`features_1` and `features_2` must have the same shape. Received "
            f"{first.shape} and {second.shape}."
        )
    distances = np.linalg.norm(normalize_rows(first) - normalize_rows(second), axis=1)
    return float(np.mean(distances**power))


def uniformity(features: Tensor, sharpness: float = 2) -> float:
    """Logarithm of the mean Gaussian potential of all pairs. Lower is more uniform.

    Args:
        features: Array `(N, D)`, N >= 2. Rows are normalized by this function.
        sharpness: Float > 0, the paper's t.

    Returns:
        Float <= 0; 0 if all rows have the same direction.

    Raises:
        ValueError: If there is only one row, or `features` is not `(N, D)`, empty or not finite.

    Source:
        Wang and Isola 2020, https://arxiv.org/abs/2005.10242, equation 6, over pairs i != j.
    """
    check_positive(sharpness=sharpness)
    (features,) = _as_features(features=features)
    count = len(features)
    if count < 2:
        raise ValueError("`features` must have at least two rows. Received one.")
    unit = normalize_rows(features)
    chunk_size = max(1, MAX_DISTANCES // count)
    total = 0.0
    for start in range(0, count, chunk_size):
        rows = unit[start : start + chunk_size]
        squared = np.sum(rows**2, 1)[:, None] + np.sum(unit**2, 1) - 2 * rows @ unit.T
        total += np.exp(-sharpness * np.maximum(squared, 0)).sum()
    total -= count  # pairs i == j, exp(0) each
    return float(np.log(total / (count * (count - 1))))


def _as_features(**arrays):
    """Returns float64 arrays `(N, D)`; raises ValueError for other shapes and NaN."""
    checked = []
    for name, features in arrays.items():
        features = as_array(name, features)
        if features.ndim != 2 or 0 in features.shape:
            raise ValueError(
                f"`{name}` must have shape (N, D) and must not be empty. Received shape "
                f"{features.shape}."
            )
        if not np.isfinite(features).all():
            raise ValueError(f"`{name}` has NaN or infinite values.")
        checked.append(features)
    return checked
