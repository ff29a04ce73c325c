"""The consistency loss of Mean Teacher."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_same_shape


def mean_teacher(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Mean Teacher loss: mean squared difference of the student's and the teacher's probabilities.

    Args:
        student_logits: Float tensor `(B, K)`.
        teacher_logits: Float tensor `(B, K)`, for other views of the same images. No gradient
            reaches them.

    Returns:
        Scalar in 0..2/K, the mean over rows and classes, float32 (float64 for float64 input). 0 if
        both agree, also if all predictions are equal: the supervised loss prevents collapse, not
        this one.

    Raises:
        TypeError: If an argument is not a tensor of numbers.
        ValueError: If the shapes differ or are not `(B, K)`.

    Source:
        Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780, section 2, with the mean over
        classes of the authors' code.
    """
    student = as_float(student_logits, "student_logits")
    teacher = ops.stop_gradient(as_float(teacher_logits, "teacher_logits"))
    check_same_shape(student_logits=student, teacher_logits=teacher)
    difference = ops.softmax(student, axis=1) - ops.softmax(teacher, axis=1)
    return mean(mean(ops.square(difference), axis=1))
