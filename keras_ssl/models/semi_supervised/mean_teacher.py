"""Mean Teacher."""

import keras
from keras import ops

from keras_ssl import distribute, losses
from keras_ssl._types import FloatOrSchedule, Tensor
from keras_ssl.training.batch import SemiSupervisedBatch
from keras_ssl.training.semi_supervised import Logits, SemiSupervisedModel
from keras_ssl.validation import check_steps


@keras.saving.register_keras_serializable("keras_ssl")
class MeanTeacher(SemiSupervisedModel):
    """Mean Teacher: consistency with the predictions of an EMA of the classifier.

    Use it when pseudo-labels are unreliable, or when strong augmentation would change the class.
    All unlabeled images are used, with the squared difference of probabilities as the loss. It
    needs more labels than FixMatch (hundreds per class in the paper). The student sees the strong
    view and the teacher, the EMA classifier, sees the weak one. The paper uses weak views for both:
    pass the same view as `weak` and `strong`. A step runs the classifier on
    B * (1 + unlabeled_ratio) images with a gradient and on B * unlabeled_ratio without. Memory
    holds two classifiers.

    `fit` logs the values listed in `SemiSupervisedModel`; `mask_rate` is always 1 and `threshold`
    is always 0. A safe starting point is that of `FixMatch`.

        encoder = keras_ssl.encoders.wide_resnet((32, 32, 3))
        weak = keras_ssl.views.fixmatch_weak(32)
        model = keras_ssl.MeanTeacher(keras_ssl.models.classifier(encoder, 10))
        model.compile(keras_ssl.optimizers.L2SGD(0.03, weight_decay=5e-4), metrics=["accuracy"])
        model.fit(keras_ssl.data.semi_supervised(labeled, unlabeled, weak=weak, strong=weak))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        warmup: Int, number of steps, or float in 0..1, fraction of the run, in which the weight of
            the unlabeled images rises as `exp(-5 (1 - t)^2)`, with t from 0 to 1.
        ema_momentum: See `SemiSupervisedModel`. The paper uses 0.99 while the weight rises and
            0.999 afterwards.
        unlabeled_weight: See `SemiSupervisedModel`. The squared differences are averaged over
            classes.
        seed: Int. See `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the classifier is not as described.

    Source:
        Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780, section 2 and appendix B. The
        default weight is that of later comparisons, half of the paper's 100.
    """

    forward_views = ("strong",)
    schedule_args = ("warmup",)

    def __init__(
        self,
        classifier: keras.Model,
        *,
        warmup: int | float = 0.4,
        unlabeled_weight: FloatOrSchedule = 50.0,
        **kwargs,
    ) -> None:
        check_steps(warmup=warmup)
        super().__init__(classifier, unlabeled_weight=unlabeled_weight, **kwargs)
        self.warmup = warmup

    def unsupervised_weight(self) -> Tensor:
        """Returns the weight at the current step, which rises as in appendix B."""
        ramp = ops.exp(-5.0 * ops.square(1.0 - self.progress(self.warmup)))
        return super().unsupervised_weight() * ramp

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Tensor]:
        """Returns the consistency loss of the student's strong and the teacher's weak view.

        The teacher runs in training mode, as in the authors' code: its batch norm uses batch
        statistics.
        """
        teacher = self.forward(self.ema_classifier, batch.weak, training=True)
        teacher = distribute.all_gather(teacher)
        return {
            "unsupervised_loss": losses.mean_teacher(logits.strong, teacher),
            "mask": ops.ones_like(teacher[:, 0]),
            "threshold": 0.0,
            "pseudo_labels": ops.argmax(teacher, axis=1),
        }
