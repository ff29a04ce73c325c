"""The loss of DINO."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, cross_entropy
from keras_ssl.validation import check_positive, check_same_shape, check_shape


def dino(
    student: Tensor,
    teacher: Tensor,
    center: Tensor,
    student_temperature: float | Tensor = 0.1,
    teacher_temperature: float | Tensor = 0.04,
) -> Tensor:
    """DINO loss: cross-entropy of the student with the centered, sharpened teacher.

    The loss is for one pair of views of the same images. DINO averages it over all pairs of
    different views whose teacher view is a large crop.

    Args:
        student: Float tensor `(B, K)`, the student's scores of one view.
        teacher: Float tensor `(B, K)`, the teacher's scores of another view, in the same order. No
            gradient reaches them.
        center: Float tensor `(K,)`, the running mean of the teacher's scores, which is subtracted
            from them.
        student_temperature: Float > 0.
        teacher_temperature: Float > 0. Choose it below `student_temperature`, to sharpen the
            targets.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input). `log(K)` if all scores are equal. This is
        not the maximum: centering and sharpening prevent collapse, not the loss.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes are not as described, or a temperature is not above 0.

    Source:
        Caron et al. 2021, https://arxiv.org/abs/2104.14294, algorithm 1.
    """
    student, teacher = as_float(student, "student"), ops.stop_gradient(as_float(teacher, "teacher"))
    center = ops.stop_gradient(as_float(center, "center"))
    check_same_shape(student=student, teacher=teacher)
    check_shape(student.shape[1:], center=center)
    check_positive(student_temperature=student_temperature, teacher_temperature=teacher_temperature)

    targets = ops.softmax((teacher - center) / teacher_temperature, axis=1)
    return cross_entropy(student / student_temperature, targets)
