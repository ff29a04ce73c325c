import numpy as np
import pytest
from losses_checks import (
    assert_finite,
    assert_gradient_matches,
    assert_half_precision_uses_float32,
    assert_matches,
    log_softmax,
    not_positive,
)

from keras_ssl.losses import ibot

RNG = np.random.default_rng(21)
STUDENT, TEACHER = RNG.normal(size=(2, 3, 4, 5)) / 5
CENTER = RNG.normal(size=5) / 5
MASK = np.array(
    [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]], "float64"
)  # the second image has no masked patch


def make_reference(student_temperature=0.1, teacher_temperature=0.04):
    """Returns equation 2, one patch at a time."""

    def reference(student, teacher, mask, center):
        total = 0.0
        for s, t, m in zip(student, teacher, mask, strict=True):
            costs = [
                -np.sum(
                    np.exp(log_softmax((t[i] - center) / teacher_temperature))
                    * log_softmax(s[i] / student_temperature)
                )
                for i in np.flatnonzero(m)
            ]
            total += np.mean(costs) if costs else 0.0
        return total / len(student)

    return reference


ARRAYS = (STUDENT, TEACHER, MASK, CENTER)


@pytest.mark.parametrize("temperatures", [(), (0.2, 0.07)])
def test_ibot_and_its_gradient_for_the_student_match_the_paper(temperatures):
    reference = make_reference(*temperatures)
    assert_matches(lambda *arrays: ibot(*arrays, *temperatures), reference, *ARRAYS)

    def loss(student, teacher, center):
        return ibot(student, teacher, MASK, center, *temperatures)

    assert_gradient_matches(
        loss, lambda s, t, c: reference(s, t, MASK, c), STUDENT, TEACHER, CENTER, targets=[1, 2]
    )


def test_ibot_ignores_patches_without_a_mask():
    other = np.where(MASK[..., None] == 1, STUDENT, 9.0)
    assert float(ibot(other, *ARRAYS[1:])) == pytest.approx(float(ibot(*ARRAYS)), rel=1e-12)


def test_ibot_is_zero_without_masked_patches():
    assert_finite(ibot, STUDENT, TEACHER, 0 * MASK, CENTER)
    assert float(ibot(STUDENT, TEACHER, MASK > 2, CENTER)) == 0


def test_ibot_is_finite_for_equal_patches():
    equal = np.ones((3, 4, 5), "float32")
    assert_finite(ibot, equal, equal, np.ones((3, 4), "float32"), np.zeros(5, "float32"))


def test_ibot_computes_half_precision_in_float32():
    assert_half_precision_uses_float32(
        ibot, make_reference(), 1e3 * STUDENT, 1e3 * TEACHER, MASK, 1e3 * CENTER
    )


def test_ibot_rejects_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"received \(3, 4, 5\), \(3, 4, 5\) and \(3, 3\)"):
        ibot(STUDENT, TEACHER, MASK[:, :3], CENTER)
    with pytest.raises(ValueError, match=r"`center` must have shape \(5,\), received \(4,\)"):
        ibot(STUDENT, TEACHER, MASK, CENTER[:4])


@not_positive
@pytest.mark.parametrize("name", ["student_temperature", "teacher_temperature"])
def test_ibot_rejects_a_bad_temperature(name, number):
    with pytest.raises(ValueError, match=f"`{name}` must be a finite number above 0"):
        ibot(*ARRAYS, **{name: number})
