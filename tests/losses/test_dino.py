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
    not_positive,
)

from keras_ssl.losses import dino

RNG = np.random.default_rng(9)
STUDENT, TEACHER = RNG.normal(size=(2, 6, 5)) / 5
CENTER = RNG.normal(size=5) / 5


def from_the_paper(student_temperature, teacher_temperature):
    """H of algorithm 1, row by row."""

    def formula(student, teacher, center):
        costs = []
        for s, t in zip(student, teacher, strict=True):
            target = np.exp(log_softmax((t - center) / teacher_temperature))
            costs.append(-np.sum(target * log_softmax(s / student_temperature)))
        return np.mean(costs)

    return formula


@pytest.mark.parametrize("temperatures", [(0.1, 0.04), (0.2, 0.07), (1.0, 0.5)])
def test_matches_the_formula(temperatures):
    assert_matches(
        lambda *rows: dino(*rows, *temperatures),
        from_the_paper(*temperatures),
        *(STUDENT, TEACHER, CENTER),
    )


def test_its_temperatures_are_those_of_the_paper():
    assert_matches(dino, from_the_paper(0.1, 0.04), STUDENT, TEACHER, CENTER)


def test_its_gradient_is_the_slope_of_the_formula_in_the_student_alone():
    assert_gradient_is_the_slope(
        dino, from_the_paper(0.1, 0.04), STUDENT, TEACHER, CENTER, targets=[1, 2]
    )


def test_is_log_of_the_number_of_prototypes_when_both_are_uniform():
    same = np.ones((6, 5))
    assert float(dino(same, same, np.ones(5))) == pytest.approx(np.log(5), rel=1e-12)


@degenerate
def test_degenerate_rows_have_a_finite_loss_and_gradient(rows):
    assert_finite(dino, rows, rows, np.zeros(5, "float32"))
    assert_finite(dino, rows, SPREAD[: len(rows)], rows[0])


def test_half_precision_is_computed_in_float32():
    assert_half_precision_is_computed_in_float32(
        dino, from_the_paper(0.1, 0.04), 1e4 * STUDENT, 1e4 * TEACHER, 1e4 * CENTER
    )


def test_the_level_of_a_row_changes_nothing():
    levels = np.arange(6)[:, None]
    moved = float(dino(STUDENT + levels, TEACHER - levels, CENTER + 3))
    assert moved == pytest.approx(float(dino(STUDENT, TEACHER, CENTER)), rel=1e-12)


def test_what_the_center_takes_off_the_teacher_changes_nothing():
    shift = np.arange(5)
    moved = float(dino(STUDENT, TEACHER + shift, CENTER + shift))
    assert moved == pytest.approx(float(dino(STUDENT, TEACHER, CENTER)), rel=1e-12)


def test_names_both_shapes_when_they_differ():
    with pytest.raises(ValueError, match=r"student \(6, 5\), teacher \(5, 5\)"):
        dino(STUDENT, TEACHER[:5], CENTER)
    with pytest.raises(ValueError, match="`student` must have shape"):
        dino(STUDENT[0], TEACHER[0], CENTER)


@pytest.mark.parametrize("center", [np.zeros(4), np.zeros((6, 5)), np.zeros(1)])
def test_names_a_center_that_does_not_fit(center):
    with pytest.raises(ValueError, match="`center`"):
        dino(STUDENT, TEACHER, center)


@not_positive
@pytest.mark.parametrize("name", ["student_temperature", "teacher_temperature"])
def test_names_a_bad_temperature(name, number):
    with pytest.raises(ValueError, match=f"`{name}` must be a finite number above 0"):
        dino(STUDENT, TEACHER, CENTER, **{name: number})
