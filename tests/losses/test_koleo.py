import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    unit,
)

from keras_ssl.losses import koleo

ROWS = np.random.default_rng(22).normal(size=(7, 4))


def reference_loss(rows):
    """Computes equation 2, one row at a time."""
    rows = unit(rows)
    logs = []
    for i, row in enumerate(rows):
        distances = [np.linalg.norm(row - other) for j, other in enumerate(rows) if j != i]
        logs.append(np.log(min(distances)))
    return -np.mean(logs)


def test_koleo_and_its_gradient_match_the_paper():
    assert_matches(koleo, reference_loss, ROWS)
    assert_gradient_matches(koleo, reference_loss, ROWS)


def test_koleo_is_smaller_for_spread_rows():
    axes = np.concatenate([np.eye(4), -np.eye(4)])
    assert float(koleo(axes)) == pytest.approx(-0.5 * np.log(2))
    assert float(koleo(np.ones((7, 4)))) > float(koleo(ROWS)) > float(koleo(axes))


@degenerate
def test_koleo_is_finite_for_degenerate_rows(rows):
    assert_finite(koleo, rows)


def test_koleo_ignores_the_length_of_rows():
    assert float(koleo(9 * ROWS)) == pytest.approx(float(koleo(ROWS)), rel=1e-12)


def test_koleo_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(koleo, reference_loss, 1e3 * ROWS)


def test_koleo_rejects_features_that_are_no_matrix():
    with pytest.raises(ValueError, match=r"`x` must have shape \(batch, dim\)"):
        koleo(SPREAD[0])
