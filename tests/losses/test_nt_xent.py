import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    not_positive,
    unit,
)

from keras_ssl.losses import nt_xent

Z1, Z2 = np.random.default_rng(0).normal(size=(2, 6, 5))


def from_the_paper(temperature):
    """Equation 1, pair by pair."""

    def formula(z1, z2):
        z = unit(np.concatenate([z1, z2]))
        batch, total = len(z1), 0.0
        for i in range(2 * batch):
            partner = (i + batch) % (2 * batch)
            others = [np.exp(z[i] @ z[k] / temperature) for k in range(2 * batch) if k != i]
            total -= np.log(np.exp(z[i] @ z[partner] / temperature) / np.sum(others))
        return total / (2 * batch)

    return formula


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_matches_the_formula(temperature):
    assert_matches(lambda *z: nt_xent(*z, temperature), from_the_paper(temperature), Z1, Z2)


def test_its_gradient_is_the_slope_of_the_formula():
    assert_gradient_is_the_slope(lambda *z: nt_xent(*z, 0.3), from_the_paper(0.3), Z1, Z2)


def test_is_log_of_the_number_of_choices_when_collapsed():
    same = np.ones((6, 5), "float32")
    assert float(nt_xent(same, same)) == pytest.approx(np.log(11), rel=1e-6)
    assert float(nt_xent(Z1, Z1)) < np.log(11)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(nt_xent, rows, rows)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        lambda *z: nt_xent(*z, 0.01), from_the_paper(0.01), 1e4 * Z1, 1e4 * Z2
    )


def test_swapping_the_views_changes_nothing():
    assert float(nt_xent(Z1, Z2)) == pytest.approx(float(nt_xent(Z2, Z1)), rel=1e-12)


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"z1 \(6, 5\), z2 \(5, 5\)"):
        nt_xent(Z1, Z2[:5])
    with pytest.raises(ValueError, match=r"`z1` must have shape \(batch, dim\)"):
        nt_xent(Z1[0], Z2[0])


@not_positive
def test_names_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        nt_xent(Z1, Z2, number)
