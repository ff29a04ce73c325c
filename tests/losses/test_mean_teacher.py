import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_is_the_slope,
    assert_half_precision_is_computed_in_float32,
    assert_matches,
    degenerate,
    log_softmax,
)

from keras_ssl.losses import mean_teacher

RNG = np.random.default_rng(14)
STUDENT, TEACHER = RNG.normal(size=(2, 6, 4))


def from_the_paper(student, teacher):
    rows = zip(student, teacher, strict=True)
    return np.mean([(np.exp(log_softmax(s)) - np.exp(log_softmax(t))) ** 2 for s, t in rows])


def test_matches_the_formula_and_its_slope_in_the_student_alone():
    assert_matches(mean_teacher, from_the_paper, STUDENT, TEACHER)
    assert_gradient_is_the_slope(mean_teacher, from_the_paper, STUDENT, TEACHER, targets=[1])


def test_is_zero_when_both_agree_and_two_over_k_at_most():
    assert float(mean_teacher(STUDENT, STUDENT)) == 0
    certain = 1e3 * np.eye(4)
    assert float(mean_teacher(certain, certain[::-1])) == pytest.approx(2 / 4)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(mean_teacher, 1e4 * rows, rows)


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        mean_teacher, from_the_paper, 1e2 * STUDENT, TEACHER
    )


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"student_logits \(6, 4\), teacher_logits \(5, 4\)"):
        mean_teacher(STUDENT, TEACHER[:5])
