"""The loss of DINO: a student predicts a teacher's centered, sharpened distribution."""

from keras import ops

from keras_ssl.numerics import as_float, cross_entropy
from keras_ssl.validation import check_positive, check_same_shape


def dino(student, teacher, center, student_temperature=0.1, teacher_temperature=0.04):
    """Cross-entropy from the teacher's view of an image to the student's view of it.

    Args:
        student: Float tensor `(B, K)`, the student's scores of one view.
        teacher: Float tensor `(B, K)`, the teacher's scores of another view, same order; no
            gradient reaches them.
        center: Float tensor `(K,)`, the running mean of the teacher's scores, taken off them.
        student_temperature: Float > 0.
        teacher_temperature: Float > 0; below the student's, which sharpens the target.

    Returns:
        Scalar, float32 (float64 for float64 input); `log(K)` when all scores are equal, which is
        not the largest value: centring and sharpening together, not the loss, prevent collapse.

    Raises:
        ValueError: If the shapes are not as described, or a temperature is not above 0.

    Source:
        Caron et al. 2021, https://arxiv.org/abs/2104.14294, algorithm 1.
    """
    student, teacher = as_float(student, "student"), ops.stop_gradient(as_float(teacher, "teacher"))
    center = ops.stop_gradient(as_float(center, "center"))
    check_same_shape(student=student, teacher=teacher)
    if tuple(center.shape) != (student.shape[1],):
        raise ValueError(
            f"`center` must have shape ({student.shape[1]},), received {tuple(center.shape)}."
        )
    check_positive(student_temperature=student_temperature, teacher_temperature=teacher_temperature)

    target = ops.softmax((teacher - center) / teacher_temperature, axis=1)
    return cross_entropy(student / student_temperature, target)
