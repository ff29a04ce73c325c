import numpy as np
import pytest
from losses_checks import (
    SPREAD,
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    log_softmax,
    unit,
)

from keras_ssl.losses import clip

IMAGE, TEXT = np.random.default_rng(24).normal(size=(2, 6, 5))


def make_reference(scale):
    """Returns figure 3, one row and one column at a time."""

    def reference(image, text):
        logits = scale * unit(image) @ unit(text).T
        rows = [-log_softmax(row)[i] for i, row in enumerate(logits)]
        columns = [-log_softmax(column)[i] for i, column in enumerate(logits.T)]
        return (np.mean(rows) + np.mean(columns)) / 2

    return reference


@pytest.mark.parametrize("scale", [1 / 0.07, 2.0])
def test_clip_and_its_gradient_match_the_paper(scale):
    assert_matches(lambda *inputs: clip(*inputs, scale), make_reference(scale), IMAGE, TEXT)
    assert_gradient_matches(
        lambda *inputs: clip(*inputs, scale), make_reference(scale), IMAGE, TEXT
    )


def test_clip_gradient_of_the_scale_matches_differences():
    assert_gradient_matches(
        lambda scale: clip(IMAGE, TEXT, scale[0]),
        lambda scale: make_reference(scale[0])(IMAGE, TEXT),
        np.array([3.0]),
    )


def test_clip_is_symmetric_and_larger_at_collapse():
    assert float(clip(TEXT, IMAGE, 9.0)) == pytest.approx(float(clip(IMAGE, TEXT, 9.0)), rel=1e-12)
    equal = np.ones((6, 5))
    assert float(clip(equal, equal, 9.0)) == pytest.approx(np.log(6))
    assert float(clip(IMAGE, IMAGE, 9.0)) < np.log(6)


@degenerate
def test_clip_is_finite_for_degenerate_rows(rows):
    assert_finite(lambda *inputs: clip(*inputs, 100.0), rows, SPREAD[: len(rows)])


def test_clip_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(
        lambda *inputs: clip(*inputs, 14.0), make_reference(14.0), 1e3 * IMAGE, 1e3 * TEXT
    )


def test_clip_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"image \(6, 5\), text \(5, 5\)"):
        clip(IMAGE, TEXT[:5], 1.0)
