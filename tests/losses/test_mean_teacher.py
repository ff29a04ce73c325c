import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    degenerate,
    log_softmax,
)

from keras_ssl.losses import mean_teacher

RNG = np.random.default_rng(14)
STUDENT, TEACHER = RNG.normal(size=(2, 6, 4))


def reference_loss(student, teacher):
    rows = zip(student, teacher, strict=True)
    return np.mean([(np.exp(log_softmax(s)) - np.exp(log_softmax(t))) ** 2 for s, t in rows])


def test_mean_teacher_and_its_gradient_for_the_student_match_the_paper():
    assert_matches(mean_teacher, reference_loss, STUDENT, TEACHER)
    assert_gradient_matches(mean_teacher, reference_loss, STUDENT, TEACHER, targets=[1])


def test_mean_teacher_is_between_zero_and_two_over_k():
    assert float(mean_teacher(STUDENT, STUDENT)) == 0
    certain = 1e3 * np.eye(4)
    assert float(mean_teacher(certain, certain[::-1])) == pytest.approx(2 / 4)


@degenerate
def test_mean_teacher_is_finite_for_degenerate_rows(rows):
    assert_finite(mean_teacher, 1e4 * rows, rows)


def test_mean_teacher_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(mean_teacher, reference_loss, 1e2 * STUDENT, TEACHER)


def test_mean_teacher_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"student_logits \(6, 4\), teacher_logits \(5, 4\)"):
        mean_teacher(STUDENT, TEACHER[:5])
