import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    not_positive,
    unit,
)

from keras_ssl.losses import supcon

Z = np.random.default_rng(1).normal(size=(8, 5))
LABELS = np.array([0, 1, 0, 2, 1, 0, 3, 0])  # classes of 4, 2, 1 and 1 rows


def from_the_paper(temperature, labels=LABELS):
    """Equation 2: the mean over the positives is outside of the logarithm."""

    def formula(z):
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

    return formula


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
def test_matches_the_formula(temperature):
    assert_matches(lambda z: supcon(z, LABELS, temperature), from_the_paper(temperature), Z)


def test_its_gradient_is_the_slope_of_the_formula():
    assert_gradient_is_the_slope(lambda z: supcon(z, LABELS, 0.3), from_the_paper(0.3), Z)


def test_is_zero_without_a_positive():
    assert float(supcon(Z, np.arange(8))) == 0.0
    assert_finite(lambda z: supcon(z, np.arange(8)), Z)


def test_is_log_of_the_number_of_choices_when_collapsed():
    assert float(supcon(np.ones((8, 5)), LABELS)) == pytest.approx(np.log(7), rel=1e-12)


def test_a_collapsed_batch_costs_more_than_spread_classes():
    spread = np.eye(4)[LABELS]
    assert float(supcon(np.ones((8, 4)), LABELS)) > float(supcon(spread, LABELS))


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(lambda z: supcon(z, LABELS[: len(rows)]), rows)
    assert_finite(lambda z: supcon(z, np.zeros(len(rows), "int32")), rows)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        lambda z: supcon(z, LABELS, 0.01), from_the_paper(0.01), 1e4 * Z
    )


def test_the_names_of_the_classes_change_nothing():
    # The first two are one number in float32.
    renamed = np.array([2**24, 2**24 + 1, -3, 7])[LABELS]
    assert float(supcon(Z, renamed)) == pytest.approx(float(supcon(Z, LABELS)), rel=1e-12)


def test_the_order_and_the_length_of_the_rows_change_nothing():
    order = np.random.default_rng(2).permutation(8)
    moved = (Z * np.arange(1, 9)[:, None])[order]
    assert float(supcon(moved, LABELS[order])) == pytest.approx(float(supcon(Z, LABELS)), rel=1e-12)


@pytest.mark.parametrize("labels", [LABELS[:7], LABELS[:, None], np.int32(3)])
def test_names_labels_that_do_not_fit(labels):
    with pytest.raises(ValueError, match="`labels`"):
        supcon(Z, labels)


def test_names_embeddings_that_are_no_rows():
    with pytest.raises(ValueError, match=r"`z` must have shape .*, received \(2, 6, 5\)"):
        supcon(np.stack([SPREAD, SPREAD]), np.zeros(2, "int32"))


@not_positive
def test_names_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        supcon(Z, LABELS, number)
