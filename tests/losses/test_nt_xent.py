import numpy as np
import pytest
from gradients import gradients
from keras import ops

from keras_ssl.losses import nt_xent

RNG = np.random.default_rng(0)
Z1, Z2 = RNG.normal(size=(2, 6, 5))


def from_the_paper(z1, z2, temperature):
    """Equation 1, pair by pair."""
    z = np.concatenate([z1, z2])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    batch, total = len(z1), 0.0
    for i in range(2 * batch):
        partner = (i + batch) % (2 * batch)
        others = [np.exp(z[i] @ z[k] / temperature) for k in range(2 * batch) if k != i]
        total -= np.log(np.exp(z[i] @ z[partner] / temperature) / np.sum(others))
    return total / (2 * batch)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_matches_the_formula(temperature):
    expected = from_the_paper(Z1, Z2, temperature)
    assert float(nt_xent(Z1, Z2, temperature)) == pytest.approx(expected, rel=1e-12)
    single = nt_xent(Z1.astype("float32"), Z2.astype("float32"), temperature)
    assert float(single) == pytest.approx(expected, rel=1e-5)


def test_its_gradient_is_the_slope_of_the_formula():
    found = gradients(lambda z1, z2: nt_xent(z1, z2, 0.3), Z1, Z2)
    step = 1e-6
    for view, gradient in enumerate(found):
        for at in np.ndindex(Z1.shape):
            ends = []
            for sign in (1, -1):
                moved = [Z1.copy(), Z2.copy()]
                moved[view][at] += sign * step
                ends.append(from_the_paper(*moved, 0.3))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert float(gradient[at]) == pytest.approx(slope, abs=1e-8)


def test_is_log_of_the_number_of_choices_when_collapsed():
    same = np.ones((6, 5), "float32")
    assert float(nt_xent(same, same)) == pytest.approx(np.log(11), rel=1e-6)
    assert float(nt_xent(Z1, Z1)) < np.log(11)


def test_zero_rows_have_a_finite_loss_and_gradient():
    some = Z1.astype("float32") * (np.arange(6) > 2)[:, None].astype("float32")
    for rows in (np.zeros((4, 3), "float32"), some):
        assert np.isfinite(float(nt_xent(rows, rows)))
        for gradient in gradients(nt_xent, rows, rows):
            assert np.all(np.isfinite(gradient))


def test_half_precision_stays_finite():
    loss = nt_xent(ops.cast(Z1, "float16"), ops.cast(Z2, "float16"), 0.01)
    assert loss.dtype == "float32"
    assert np.isfinite(float(loss))


def test_swapping_the_views_changes_nothing():
    assert float(nt_xent(Z1, Z2)) == pytest.approx(float(nt_xent(Z2, Z1)), rel=1e-12)


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"z1 \(6, 5\), z2 \(5, 5\)"):
        nt_xent(Z1, Z2[:5])
    with pytest.raises(ValueError, match=r"`z1` must have shape \(batch, dim\)"):
        nt_xent(Z1[0], Z2[0])


@pytest.mark.parametrize("temperature", [0, -0.1, float("nan")])
def test_names_a_bad_temperature(temperature):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        nt_xent(Z1, Z2, temperature)
