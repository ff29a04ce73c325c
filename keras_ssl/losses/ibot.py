"""The patch term of iBOT and DINOv2."""

from keras import ops

from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_not_empty, check_positive


def ibot(student, teacher, mask, center, student_temperature=0.1, teacher_temperature=0.04):
    """Cross-entropy of the teacher's patches, sharpened and centered, to the student's masked ones.

    Args:
        student: Float tensor `(B, N, K)`, scores of the N patches of each image, of which the
            student saw those that are not masked.
        teacher: Float tensor `(B, N, K)`, of the whole images; no gradient reaches them.
        mask: Bool or float tensor `(B, N)`, 1 for the patches that were masked.
        center: Float tensor `(K,)`, running mean of the teacher's scores; zeros where the teacher
            is balanced by other means.
        student_temperature: Float > 0, or a scalar tensor.
        teacher_temperature: Float > 0, or a scalar tensor.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input): the mean over the masked patches of an
        image, then over all images, of which those without a mask count as zero.

    Raises:
        ValueError: If shapes do not fit, or a temperature is not above 0.

    Source:
        Zhou et al. 2021, https://arxiv.org/abs/2111.07832, equation 2, with the weights of Oquab et
        al. 2023, https://arxiv.org/abs/2304.07193, and their code.
    """
    check_positive(student_temperature=student_temperature, teacher_temperature=teacher_temperature)
    student = as_float(student, "student")
    mask = ops.cast(as_float(mask, "mask"), student.dtype)
    teacher = ops.stop_gradient(as_float(teacher, "teacher"))
    center = ops.stop_gradient(as_float(center, "center"))
    shapes = [tuple(x.shape) for x in (student, teacher, mask, center)]
    if len(shapes[0]) != 3 or shapes[1] != shapes[0] or shapes[2] != shapes[0][:2]:
        raise ValueError(
            "`student` and `teacher` must be (batch, patches, prototypes) and `mask` (batch, "
            f"patches), received {shapes[0]}, {shapes[1]} and {shapes[2]}."
        )
    check_not_empty(student=student)
    if shapes[3] != shapes[0][2:]:
        raise ValueError(f"`center` must have shape {shapes[0][2:]}, received {shapes[3]}.")
    targets = ops.softmax((teacher - center) / teacher_temperature, axis=-1)
    each = -ops.sum(targets * ops.log_softmax(student / student_temperature, axis=-1), axis=-1)
    count = ops.maximum(ops.sum(mask, axis=1), 1.0)
    return mean(ops.sum(mask * each, axis=1) / count)
