"""The loss of the mean teacher."""

from keras import ops

from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_same_shape


def mean_teacher(student_logits, teacher_logits):
    """Mean squared difference of the probabilities that student and teacher give.

    Args:
        student_logits: Float tensor `(B, K)`.
        teacher_logits: Float tensor `(B, K)`, of other views of the same images; no gradient
            reaches them.

    Returns:
        Scalar, mean over rows and classes, in 0..2/K; float32 (float64 for float64 input).

    Raises:
        ValueError: If the shapes differ or are not `(B, K)`.

    Source:
        Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780, section 2; the mean over
        classes is the authors' code's.
    """
    student, teacher = (
        as_float(student_logits, "student_logits"),
        ops.stop_gradient(as_float(teacher_logits, "teacher_logits")),
    )
    check_same_shape(student_logits=student, teacher_logits=teacher)
    difference = ops.softmax(student, axis=1) - ops.softmax(teacher, axis=1)
    return mean(mean(ops.square(difference), axis=1))
