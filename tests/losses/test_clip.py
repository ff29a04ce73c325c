import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    log_softmax,
    unit,
)

from keras_ssl.losses import clip

IMAGE, TEXT = np.random.default_rng(24).normal(size=(2, 6, 5))


def from_the_paper(scale):
    """Figure 3, row by row and column by column."""

    def formula(image, text):
        logits = scale * unit(image) @ unit(text).T
        rows = [-log_softmax(row)[i] for i, row in enumerate(logits)]
        columns = [-log_softmax(column)[i] for i, column in enumerate(logits.T)]
        return (np.mean(rows) + np.mean(columns)) / 2

    return formula


@pytest.mark.parametrize("scale", [1 / 0.07, 2.0])
def test_matches_the_formula_and_its_slope_in_both(scale):
    assert_matches(lambda *both: clip(*both, scale), from_the_paper(scale), IMAGE, TEXT)
    assert_gradient_is_the_slope(
        lambda *both: clip(*both, scale), from_the_paper(scale), IMAGE, TEXT
    )


def test_its_slope_in_the_scale():
    assert_gradient_is_the_slope(
        lambda scale: clip(IMAGE, TEXT, scale[0]),
        lambda scale: from_the_paper(scale[0])(IMAGE, TEXT),
        np.array([3.0]),
    )


def test_is_symmetric_and_a_collapsed_batch_costs_more():
    assert float(clip(TEXT, IMAGE, 9.0)) == pytest.approx(float(clip(IMAGE, TEXT, 9.0)), rel=1e-12)
    same = np.ones((6, 5))
    assert float(clip(same, same, 9.0)) == pytest.approx(np.log(6))
    assert float(clip(IMAGE, IMAGE, 9.0)) < np.log(6)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(lambda *both: clip(*both, 100.0), rows, SPREAD[: len(rows)])


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        lambda *both: clip(*both, 14.0), from_the_paper(14.0), 1e3 * IMAGE, 1e3 * TEXT
    )


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"image \(6, 5\), text \(5, 5\)"):
        clip(IMAGE, TEXT[:5], 1.0)
