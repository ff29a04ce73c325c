import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
)

from keras_ssl.losses import mae

RNG = np.random.default_rng(23)
PREDICTED, PATCHES = RNG.normal(size=(2, 3, 4, 6))
MASK = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1]], "float64")


def make_reference(normalize=True):
    """Returns the mean over masked patches, one patch at a time."""

    def reference(predicted, patches, mask):
        costs = []
        for image, patch in zip(*np.nonzero(mask), strict=True):
            target = patches[image, patch]
            if normalize:
                target = (target - target.mean()) / np.sqrt(target.var(ddof=1) + 1e-6)
            costs.append(np.mean((predicted[image, patch] - target) ** 2))
        return np.mean(costs)

    return reference


@pytest.mark.parametrize("normalize", [True, False])
def test_mae_and_its_gradient_for_the_prediction_match_the_paper(normalize):
    reference = make_reference(normalize)

    def loss(*arrays):
        return mae(*arrays, MASK, normalize=normalize)

    assert_matches(
        lambda *arrays: mae(*arrays, normalize=normalize), reference, PREDICTED, PATCHES, MASK
    )
    assert_gradient_matches(
        loss, lambda *arrays: reference(*arrays, MASK), PREDICTED, PATCHES, targets=[1]
    )


def test_mae_ignores_patches_that_the_encoder_saw():
    other = np.where(MASK[..., None] == 1, PREDICTED, 9.0)
    expected = float(mae(PREDICTED, PATCHES, MASK))
    assert float(mae(other, PATCHES, MASK == 1)) == pytest.approx(expected, rel=1e-12)


def test_mae_is_finite_for_flat_patches_and_zero_without_a_mask():
    flat = np.ones((3, 4, 6), "float32")
    assert_finite(lambda *arrays: mae(*arrays, MASK), flat, flat)
    assert float(mae(flat, flat, 0 * MASK)) == 0


def test_mae_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(mae, make_reference(), PREDICTED, 1e2 * PATCHES, MASK)


def test_mae_rejects_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"received \(3, 4, 6\), \(3, 4, 6\) and \(3, 3\)"):
        mae(PREDICTED, PATCHES, MASK[:, :3])
