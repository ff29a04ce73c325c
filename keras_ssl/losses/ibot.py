"""The patch loss of iBOT and DINOv2."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_not_empty, check_positive, check_shape


def ibot(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor,
    center: Tensor,
    student_temperature: float | Tensor = 0.1,
    teacher_temperature: float | Tensor = 0.04,
) -> Tensor:
    """iBOT loss: cross-entropy of the student with the teacher on masked patches.

    The student sees images with masked patches, the teacher sees the same images without a mask.
    The teacher's scores are centered and sharpened, as in `dino`.

    Args:
        student: Float tensor `(B, N, K)`, the student's scores of the N patches of each image.
        teacher: Float tensor `(B, N, K)`, the teacher's scores. No gradient reaches them.
        mask: Bool or float tensor `(B, N)`, 1 for masked patches.
        center: Float tensor `(K,)`, the running mean of the teacher's scores. Use zeros if the
            teacher is balanced by other means, such as `sinkhorn`.
        student_temperature: Float > 0.
        teacher_temperature: Float > 0. Choose it below `student_temperature`, to sharpen the
            targets.

    Returns:
        Scalar >= 0, float32 (float64 for float64 input): the mean over the masked patches of each
        image, then the mean over images. An image without masked patches counts as 0. `log(K)` if
        all scores are equal and each image has a masked patch.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes are not as described, or a temperature is not above 0.

    Source:
        Zhou et al. 2021, https://arxiv.org/abs/2111.07832, equation 2, with the weights of Oquab et
        al. 2023, https://arxiv.org/abs/2304.07193, and their code.
    """
    check_positive(student_temperature=student_temperature, teacher_temperature=teacher_temperature)
    student = as_float(student, "student")
    teacher = ops.stop_gradient(as_float(teacher, "teacher"))
    mask = ops.cast(as_float(mask, "mask"), student.dtype)
    center = ops.stop_gradient(as_float(center, "center"))
    _check_shapes(student, teacher, mask)
    check_shape(student.shape[2:], center=center)

    targets = ops.softmax((teacher - center) / teacher_temperature, axis=-1)
    log_probabilities = ops.log_softmax(student / student_temperature, axis=-1)
    patch_losses = -ops.sum(targets * log_probabilities, axis=-1)
    num_masked = ops.maximum(ops.sum(mask, axis=1), 1.0)
    return mean(ops.sum(mask * patch_losses, axis=1) / num_masked)


def _check_shapes(student, teacher, mask):
    shapes = [tuple(x.shape) for x in (student, teacher, mask)]
    if len(shapes[0]) != 3 or shapes[1] != shapes[0] or shapes[2] != shapes[0][:2]:
        raise ValueError(
            "`student` and `teacher` must have shape (batch, patches, prototypes) and `mask` shape "
            f"(batch, patches), received {shapes[0]}, {shapes[1]} and {shapes[2]}."
        )
    check_not_empty(student=student)
