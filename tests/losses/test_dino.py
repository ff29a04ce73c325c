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
    not_positive,
)

from keras_ssl.losses import dino

RNG = np.random.default_rng(9)
STUDENT, TEACHER = RNG.normal(size=(2, 6, 5)) / 5
CENTER = RNG.normal(size=5) / 5


def make_reference(student_temperature, teacher_temperature):
    """Returns H of algorithm 1, one row at a time."""

    def reference(student, teacher, center):
        costs = []
        for s, t in zip(student, teacher, strict=True):
            target = np.exp(log_softmax((t - center) / teacher_temperature))
            costs.append(-np.sum(target * log_softmax(s / student_temperature)))
        return np.mean(costs)

    return reference


@pytest.mark.parametrize("temperatures", [(0.1, 0.04), (0.2, 0.07), (1.0, 0.5)])
def test_dino_matches_the_paper(temperatures):
    assert_matches(
        lambda *rows: dino(*rows, *temperatures),
        make_reference(*temperatures),
        *(STUDENT, TEACHER, CENTER),
    )


def test_dino_defaults_to_the_temperatures_of_the_paper():
    assert_matches(dino, make_reference(0.1, 0.04), STUDENT, TEACHER, CENTER)


def test_dino_gradient_matches_differences_for_the_student_only():
    assert_gradient_matches(
        dino, make_reference(0.1, 0.04), STUDENT, TEACHER, CENTER, targets=[1, 2]
    )


def test_dino_is_log_of_the_number_of_prototypes_at_collapse():
    equal = np.ones((6, 5))
    assert float(dino(equal, equal, np.ones(5))) == pytest.approx(np.log(5), rel=1e-12)


@degenerate
def test_dino_is_finite_for_degenerate_rows(rows):
    assert_finite(dino, rows, rows, np.zeros(5, "float32"))
    assert_finite(dino, rows, SPREAD[: len(rows)], rows[0])


def test_dino_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(
        dino, make_reference(0.1, 0.04), 1e4 * STUDENT, 1e4 * TEACHER, 1e4 * CENTER
    )


def test_dino_ignores_a_constant_added_to_a_row():
    levels = np.arange(6)[:, None]
    moved = float(dino(STUDENT + levels, TEACHER - levels, CENTER + 3))
    assert moved == pytest.approx(float(dino(STUDENT, TEACHER, CENTER)), rel=1e-12)


def test_dino_subtracts_the_center_from_the_teacher():
    shift = np.arange(5)
    moved = float(dino(STUDENT, TEACHER + shift, CENTER + shift))
    assert moved == pytest.approx(float(dino(STUDENT, TEACHER, CENTER)), rel=1e-12)


def test_dino_rejects_different_shapes():
    with pytest.raises(ValueError, match=r"student \(6, 5\), teacher \(5, 5\)"):
        dino(STUDENT, TEACHER[:5], CENTER)
    with pytest.raises(ValueError, match="`student` must have shape"):
        dino(STUDENT[0], TEACHER[0], CENTER)


@pytest.mark.parametrize("center", [np.zeros(4), np.zeros((6, 5)), np.zeros(1)])
def test_dino_rejects_a_center_of_another_shape(center):
    with pytest.raises(ValueError, match="`center`"):
        dino(STUDENT, TEACHER, center)


@not_positive
@pytest.mark.parametrize("name", ["student_temperature", "teacher_temperature"])
def test_dino_rejects_a_bad_temperature(name, number):
    with pytest.raises(ValueError, match=f"`{name}` must be a finite number above 0"):
        dino(STUDENT, TEACHER, CENTER, **{name: number})
