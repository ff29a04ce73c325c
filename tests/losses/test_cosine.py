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

from keras_ssl.losses import byol, negative_cosine

P, Z = np.random.default_rng(4).normal(size=(2, 6, 5))


def reference_simsiam(p, z):
    """Computes equation 1 of SimSiam, as the mean over the batch."""
    return -np.mean(
        [p[i] @ z[i] / np.linalg.norm(p[i]) / np.linalg.norm(z[i]) for i in range(len(p))]
    )


def reference_byol(p, z):
    """Computes equation 2 of BYOL as the squared distance of normalized rows."""
    return np.mean(np.sum((unit(p) - unit(z)) ** 2, axis=1))


both_losses = pytest.mark.parametrize(
    ("loss", "reference"), [(negative_cosine, reference_simsiam), (byol, reference_byol)]
)


@both_losses
def test_cosine_losses_match_the_paper(loss, reference):
    assert_matches(loss, reference, P, Z)


@both_losses
def test_cosine_loss_gradient_matches_differences_for_the_prediction_only(loss, reference):
    assert_gradient_matches(loss, reference, P, Z, targets=[1])


@pytest.mark.parametrize(
    ("loss", "agree", "opposite"), [(negative_cosine, -1.0, 1.0), (byol, 0.0, 4.0)]
)
def test_cosine_losses_have_the_documented_range(loss, agree, opposite):
    assert float(loss(P, 3 * P)) == pytest.approx(agree, abs=1e-12)
    assert float(loss(P, -P)) == pytest.approx(opposite, abs=1e-12)


@both_losses
@degenerate
def test_cosine_losses_are_finite_for_degenerate_rows(loss, reference, rows):
    assert_finite(loss, rows, rows)
    assert_finite(loss, rows, SPREAD[: len(rows)])


@both_losses
def test_cosine_losses_compute_half_precision_in_float32(loss, reference):
    assert_half_precision_uses_float32(loss, reference, 1e4 * P, 1e4 * Z)


@both_losses
def test_cosine_losses_ignore_the_length_of_rows(loss, reference):
    lengths = np.arange(1, 7)[:, None]
    assert float(loss(lengths * P, Z / lengths)) == pytest.approx(float(loss(P, Z)), rel=1e-12)


@pytest.mark.parametrize("loss", [negative_cosine, byol])
def test_cosine_losses_reject_different_shapes(loss):
    with pytest.raises(ValueError, match=r"p \(6, 5\), z \(5, 5\)"):
        loss(P, Z[:5])
    with pytest.raises(ValueError, match=r"`p` must have shape \(batch, dim\)"):
        loss(P[0], Z[0])
