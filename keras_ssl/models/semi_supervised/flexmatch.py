"""FlexMatch: FixMatch with a threshold for each class, lower where little has been learned."""

import keras
from keras import ops

from keras_ssl import distribute, losses
from keras_ssl.numerics import mean, one_hot
from keras_ssl.training.semi_supervised import SemiSupervisedModel
from keras_ssl.validation import check_fraction, check_int


@keras.saving.register_keras_serializable("keras_ssl")
class FlexMatch(SemiSupervisedModel):
    """Learns a classifier from few labels: FixMatch whose thresholds wait for the harder classes.

    A class's threshold is scaled by how many unlabeled images have been taken for it with
    confidence, compared with the class that has most: at the start all images count, at the end
    those above the threshold. Choose it over FixMatch for many classes or very few labels of each.
    It keeps an int for each unlabeled image beside FixMatch's memory. Logs and safe start are
    FixMatch's; `threshold` is the mean over classes.

        model = keras_ssl.FlexMatch(keras_ssl.models.classifier(encoder, 10))

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        threshold: Float in 0..1, the probability from which an image is taken for a class, and the
            highest threshold.
        num_unlabeled: Int >= 1, unlabeled images, the `index` of all below it; None to take it
            from the data when `fit` begins, which that of `data.semi_supervised` tells. Give it
            where weights alone are saved and loaded.
        ema_momentum: See `SemiSupervisedModel`.
        unlabeled_weight: See `SemiSupervisedModel`.
        seed: Int, see `SemiSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range or the classifier is not as described; in `fit`, if
            the number of unlabeled images is not known or has changed.
        TypeError: If an argument is of the wrong kind.

    Source:
        Zhang et al. 2021, https://arxiv.org/abs/2110.08263, equations 5 to 11: with the warm-up of
        equation 9 and the mapping x / (2 - x) of section 3.3.
    """

    def __init__(self, classifier, *, threshold=0.95, num_unlabeled=None, **kwargs):
        check_fraction(threshold=threshold)
        if num_unlabeled is not None:
            check_int(1, num_unlabeled=num_unlabeled)
        super().__init__(classifier, **kwargs)
        self.threshold = threshold
        self.num_unlabeled = num_unlabeled
        self.taken_for = None
        self._remember()

    @property
    def num_unlabeled_bound(self):
        """Above every index."""
        return self.num_unlabeled

    def on_dataset_info(self, info):
        """Makes room for each unlabeled image."""
        if info is not None and self.num_unlabeled is None:
            self.num_unlabeled = info.unlabeled
            self._remember()
        if self.num_unlabeled is None:
            raise ValueError(
                "`num_unlabeled` is None and `x` does not tell how many unlabeled images there "
                "are: pass it to the constructor, or use keras_ssl.data.semi_supervised."
            )
        if info is not None and info.unlabeled != self.num_unlabeled:
            raise ValueError(
                f"`num_unlabeled` is {self.num_unlabeled} and `x` has {info.unlabeled} unlabeled "
                "images: what is remembered of each would be another's."
            )

    def compute_unlabeled(self, logits, batch):
        """Equations 5 to 11."""
        likeliest = ops.argmax(logits.weak, axis=1)
        thresholds = self.thresholds()
        each = ops.take(thresholds, likeliest, axis=0)
        loss, mask = losses.fixmatch(logits.weak, logits.strong, each)
        _, is_confident = losses.fixmatch(logits.weak, logits.strong, self.threshold)
        index = distribute.all_gather(batch.index)
        before = ops.take(self.taken_for, index, axis=0)
        now = ops.where(is_confident > 0, ops.cast(likeliest, "int32"), before)
        # Also where gradients accumulate: each batch has other images.
        self.taken_for.assign(ops.scatter_update(self.taken_for, index[:, None], now))
        return {"unsupervised_loss": loss, "mask": mask, "threshold": mean(thresholds)}

    def thresholds(self):
        """The threshold of each class, `(K,)`."""
        taken = ops.convert_to_tensor(self.taken_for)
        like = ops.zeros((1, self.num_classes), keras.config.floatx())
        counts = ops.sum(one_hot(taken, like), axis=0)  # -1, not yet taken, is none of them
        unused = self.num_unlabeled - ops.sum(counts)
        learned = counts / ops.maximum(ops.max(counts), unused)
        return self.threshold * learned / (2.0 - learned)

    def _remember(self):
        """The class that each unlabeled image was last taken for with confidence; -1 for none."""
        if self.num_unlabeled is not None:
            with distribute.strategy_scope(self):
                self.taken_for = self.add_state("taken_for", (self.num_unlabeled,), -1, "int32")
