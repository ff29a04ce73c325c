"""How far features are from collapse, and from even spread. No labels needed."""

import numpy as np

from keras_ssl.numerics import normalize_rows
from keras_ssl.validation import as_array, check_positive

PAIRS = 2**22  # distances held at a time: 32 MiB of float64


def rankme(features):
    """Effective rank: how many dimensions the features really use.

    Args:
        features: Array `(N, D)`; a few times more rows than D.

    Returns:
        Float 1..min(N, D): `exp` of the entropy of the singular values, normalized to sum 1.

    Raises:
        ValueError: If `features` is not `(N, D)`, empty or not finite.

    Source:
        Garrido et al. 2023, https://arxiv.org/abs/2210.02885, equation 1 (epsilon 1e-7).
    """
    values = np.linalg.svd(_checked(features=features)[0], compute_uv=False)
    share = values / max(values.sum(), 1e-300) + 1e-7
    return float(np.exp(-np.sum(share * np.log(share))))


def feature_std(features):
    """Standard deviation of each dimension of the normalized features, averaged.

    Args:
        features: Array `(N, D)`; rows are normalized here.

    Returns:
        Float: 0 where all rows point one way, about `1 / sqrt(D)` where they spread evenly.

    Raises:
        ValueError: If `features` is not `(N, D)`, empty or not finite.

    Source:
        Chen and He 2021, https://arxiv.org/abs/2011.10566, section 4.1.
    """
    return float(normalize_rows(_checked(features=features)[0]).std(axis=0).mean())


def alignment(features_1, features_2, power=2):
    """Mean distance between the features of two views of each image; less is better.

    Args:
        features_1: Array `(N, D)`, of view 1; rows are normalized here.
        features_2: Array `(N, D)`, of view 2, same order.
        power: Float, of the distance.

    Returns:
        Float >= 0; 0 where the views agree.

    Raises:
        ValueError: If the shapes differ, or as in `rankme`.

    Source:
        Wang and Isola 2020, https://arxiv.org/abs/2005.10242, equation 5.
    """
    check_positive(power=power)
    first, second = _checked(features_1=features_1, features_2=features_2)
    if first.shape != second.shape:
        raise ValueError(
            f"`features_1` and `features_2` must have one shape, received {first.shape} and "
            f"{second.shape}."
        )
    distance = np.linalg.norm(normalize_rows(first) - normalize_rows(second), axis=1)
    return float(np.mean(distance**power))


def uniformity(features, sharpness=2):
    """Logarithm of the mean Gaussian potential of all pairs; less is more even.

    Args:
        features: Array `(N, D)`, N >= 2; rows are normalized here.
        sharpness: Float > 0, the paper's t.

    Returns:
        Float <= 0; 0 where all rows point one way.

    Raises:
        ValueError: If there is one row only, or as in `rankme`.

    Source:
        Wang and Isola 2020, https://arxiv.org/abs/2005.10242, equation 6, over pairs i != j.
    """
    check_positive(sharpness=sharpness)
    (features,) = _checked(features=features)
    count = len(features)
    if count < 2:
        raise ValueError("`features` must have two rows or more, received one.")
    unit = normalize_rows(features)
    total = 0.0
    for start in range(0, count, max(1, PAIRS // count)):
        rows = unit[start : start + max(1, PAIRS // count)]
        squared = np.sum(rows**2, 1)[:, None] + np.sum(unit**2, 1) - 2 * rows @ unit.T
        total += np.exp(-sharpness * np.maximum(squared, 0)).sum()
    itself = count  # exp(0) for each row
    return float(np.log((total - itself) / (count * (count - 1))))


def _checked(**named):
    arrays = []
    for name, features in named.items():
        features = as_array(name, features)
        if features.ndim != 2 or 0 in features.shape:
            raise ValueError(
                f"`{name}` must have shape (N, D), not empty; received {features.shape}."
            )
        if not np.isfinite(features).all():
            raise ValueError(f"`{name}` has NaN or infinite values.")
        arrays.append(features)
    return arrays
