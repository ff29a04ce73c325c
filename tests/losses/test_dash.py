import numpy as np
import pytest
from gradients import gradients
from losses_checks import (
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    log_softmax,
    not_positive,
)

from keras_ssl.losses import dash

RNG = np.random.default_rng(12)
WEAK, STRONG = 2 * RNG.normal(size=(2, 12, 4))


def make_reference(threshold, temperature=0.5, hard=False):
    """Returns the mean over the images whose weak view has a loss below the threshold."""

    def reference(weak, strong):
        costs = []
        for q, s in zip(weak, strong, strict=True):
            if -log_softmax(q)[np.argmax(q)] < threshold:
                target = np.exp(log_softmax(q / temperature))
                if hard:
                    target = np.eye(len(q))[np.argmax(q)]
                costs.append(-np.sum(target * log_softmax(s)))
        return np.mean(costs) if costs else 0.0

    return reference


def loss_of(*arrays, **kwargs):
    return dash(*arrays, **kwargs)[0]


CASES = [
    {"threshold": 500.0},
    {"threshold": 0.3},
    {"threshold": 0.3, "temperature": 1.0},
    {"threshold": 0.3, "hard": True},
    {"threshold": 0.0},
]


@pytest.mark.parametrize("case", CASES)
def test_dash_and_its_gradient_for_the_strong_view_match_the_paper(case):
    def loss(*rows):
        return loss_of(*rows, **case)

    assert_matches(loss, make_reference(**case), WEAK, STRONG)
    assert_gradient_matches(loss, make_reference(**case), WEAK, STRONG, targets=[0])


def test_dash_has_no_gradient_for_masked_images():
    _, mask = dash(WEAK, STRONG, 0.3)
    gradient = gradients(lambda *rows: loss_of(*rows, threshold=0.3), WEAK, STRONG)[1]
    np.testing.assert_array_equal(np.any(gradient != 0, axis=1), np.asarray(mask) == 1)
    assert 0 < np.sum(mask) < len(WEAK)


@degenerate
def test_dash_is_finite_for_degenerate_rows(rows):
    for threshold in (0.0, 0.05, 500.0):
        assert_finite(lambda *logits, t=threshold: loss_of(*logits, threshold=t), 1e4 * rows, rows)


def test_dash_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(
        lambda *rows: loss_of(*rows, threshold=0.5), make_reference(0.5), WEAK, 1e4 * STRONG
    )


def test_dash_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"weak_logits \(12, 4\), strong_logits \(5, 4\)"):
        dash(WEAK, STRONG[:5], 0.3)


@not_positive
def test_dash_rejects_a_bad_temperature(number):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0"):
        dash(WEAK, STRONG, 0.3, temperature=number)
