import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    not_positive,
    unit,
)

from keras_ssl.losses import supcon

Z = np.random.default_rng(1).normal(size=(8, 5))
LABELS = np.array([0, 1, 0, 2, 1, 0, 3, 0])  # classes of 4, 2, 1 and 1 rows


def make_reference(temperature, labels=LABELS):
    """Returns equation 2: the mean over positives is outside the logarithm."""

    def reference(z):
        z = unit(z)
        costs = []
        for i in range(len(z)):
            others = [a for a in range(len(z)) if a != i]
            positives = [p for p in others if labels[p] == labels[i]]
            total = np.sum([np.exp(z[i] @ z[a] / temperature) for a in others])
            terms = [np.log(np.exp(z[i] @ z[p] / temperature) / total) for p in positives]
            if positives:
                costs.append(-np.sum(terms) / len(positives))
        return np.mean(costs)

    return reference


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
def test_supcon_matches_the_paper(temperature):
    assert_matches(lambda z: supcon(z, LABELS, temperature), make_reference(temperature), Z)


def test_supcon_gradient_matches_differences():
    assert_gradient_matches(lambda z: supcon(z, LABELS, 0.3), make_reference(0.3), Z)


def test_supcon_is_zero_without_positives():
    assert float(supcon(Z, np.arange(8))) == 0.0
    assert_finite(lambda z: supcon(z, np.arange(8)), Z)


def test_supcon_is_log_of_the_number_of_choices_at_collapse():
    assert float(supcon(np.ones((8, 5)), LABELS)) == pytest.approx(np.log(7), rel=1e-12)


def test_supcon_is_larger_at_collapse_than_for_spread_classes():
    spread = np.eye(4)[LABELS]
    assert float(supcon(np.ones((8, 4)), LABELS)) > float(supcon(spread, LABELS))


@degenerate
def test_supcon_is_finite_for_degenerate_rows(rows):
    assert_finite(lambda z: supcon(z, LABELS[: len(rows)]), rows)
    assert_finite(lambda z: supcon(z, np.zeros(len(rows), "int32")), rows)


def test_supcon_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(
        lambda z: supcon(z, LABELS, 0.01), make_reference(0.01), 1e4 * Z
    )


def test_supcon_ignores_the_values_of_labels():
    # The first two are equal in float32.
    renamed = np.array([2**24, 2**24 + 1, -3, 7])[LABELS]
    assert float(supcon(Z, renamed)) == pytest.approx(float(supcon(Z, LABELS)), rel=1e-12)


def test_supcon_ignores_the_order_and_the_length_of_rows():
    order = np.random.default_rng(2).permutation(8)
    moved = (Z * np.arange(1, 9)[:, None])[order]
    assert float(supcon(moved, LABELS[order])) == pytest.approx(float(supcon(Z, LABELS)), rel=1e-12)


@pytest.mark.parametrize("labels", [LABELS[:7], LABELS[:, None], np.int32(3)])
def test_supcon_rejects_labels_of_another_shape(labels):
    with pytest.raises(ValueError, match="`labels`"):
        supcon(Z, labels)


def test_supcon_rejects_projections_that_are_no_matrix():
    with pytest.raises(ValueError, match=r"`z` must have shape .*, received \(2, 6, 5\)"):
        supcon(np.stack([SPREAD, SPREAD]), np.zeros(2, "int32"))


@not_positive
def test_supcon_rejects_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        supcon(Z, LABELS, number)
