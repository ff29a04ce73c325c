import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    not_positive,
    unit,
)

from keras_ssl.losses import nt_xent

Z1, Z2 = np.random.default_rng(0).normal(size=(2, 6, 5))


def make_reference(temperature):
    """Returns equation 1, one pair at a time."""

    def reference(z1, z2):
        z = unit(np.concatenate([z1, z2]))
        batch, total = len(z1), 0.0
        for i in range(2 * batch):
            partner = (i + batch) % (2 * batch)
            others = [np.exp(z[i] @ z[k] / temperature) for k in range(2 * batch) if k != i]
            total -= np.log(np.exp(z[i] @ z[partner] / temperature) / np.sum(others))
        return total / (2 * batch)

    return reference


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_matches_the_paper(temperature):
    assert_matches(lambda *z: nt_xent(*z, temperature), make_reference(temperature), Z1, Z2)


def test_nt_xent_gradient_matches_differences():
    assert_gradient_matches(lambda *z: nt_xent(*z, 0.3), make_reference(0.3), Z1, Z2)


def test_nt_xent_is_log_of_the_number_of_choices_at_collapse():
    equal = np.ones((6, 5), "float32")
    assert float(nt_xent(equal, equal)) == pytest.approx(np.log(11), rel=1e-6)
    assert float(nt_xent(Z1, Z1)) < np.log(11)


@degenerate
def test_nt_xent_is_finite_for_degenerate_rows(rows):
    assert_finite(nt_xent, rows, rows)


def test_nt_xent_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(
        lambda *z: nt_xent(*z, 0.01), make_reference(0.01), 1e4 * Z1, 1e4 * Z2
    )


def test_nt_xent_is_symmetric_in_the_views():
    assert float(nt_xent(Z1, Z2)) == pytest.approx(float(nt_xent(Z2, Z1)), rel=1e-12)


def test_nt_xent_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"z1 \(6, 5\), z2 \(5, 5\)"):
        nt_xent(Z1, Z2[:5])
    with pytest.raises(ValueError, match=r"`z1` must have shape \(batch, dim\)"):
        nt_xent(Z1[0], Z2[0])


@not_positive
def test_nt_xent_rejects_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        nt_xent(Z1, Z2, number)
