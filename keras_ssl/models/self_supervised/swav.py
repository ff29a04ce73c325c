"""SwAV: predict one view's assignment to prototypes from another view."""

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl.layers import memory_bank
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_int, check_number, check_positive, check_schedule

LARGE = 2  # crops that assignments are made of; the others only predict them


@keras.saving.register_keras_serializable("keras_ssl")
class SwAV(SelfSupervisedModel):
    """Learns an encoder and prototypes, such that views of an image fall to the same prototypes.

    Choose it to get clusters with the features, and for the gain of many small crops at little
    cost. No negatives, no momentum encoder; a pass over each crop, small ones being cheap. Batches
    should not be much smaller than the prototypes are many: else give it a queue of past
    projections. `fit` logs `loss`, at the start about log(K). A loss that settles at log(K) is a
    collapse to equal use of all prototypes: make `epsilon` smaller, 0.03 or 0.02. A safe start is
    SGD, learning rate 0.5 * B / 256, momentum 0.9, cosine decay.

        model = keras_ssl.SwAV(encoder, prototypes=512)
        model.compile(keras.optimizers.SGD(0.5, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths with batch norm and ReLU between, linear at the end; or a keras
            layer.
        prototypes: Int K >= 2, or a keras layer from `(B, width)` to scores `(B, K)`.
        temperature: Float > 0 or Keras schedule, of the predictions.
        epsilon: Float > 0, of `losses.sinkhorn`; smaller makes assignments more definite.
        iterations: Int >= 1, of `losses.sinkhorn`.
        queue_size: Int >= 0, past projections of each large crop that take part in the assignment,
            once there are so many; 0 for none.
        queue_start: Int >= 0, the step from which the queue is filled.
        freeze_prototypes_steps: Int >= 0, steps in which the prototypes stay as they were drawn.
        views: Sequence of V >= 2 views, the first two the large crops; None for `views.swav` at the
            size of the images.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, or the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, algorithm 1. The default of
        `freeze_prototypes_steps` is that of the authors' code.
    """

    allows_small_crops = True

    def __init__(
        self,
        encoder,
        *,
        projector=(2048, 128),
        prototypes=3000,
        temperature=0.1,
        epsilon=0.05,
        iterations=3,
        queue_size=0,
        queue_start=0,
        freeze_prototypes_steps=313,
        **kwargs,
    ):
        check_schedule(temperature=temperature)
        check_number(epsilon=epsilon)
        check_positive(temperature=temperature, epsilon=epsilon)
        check_int(1, iterations=iterations)
        check_int(
            0,
            queue_size=queue_size,
            queue_start=queue_start,
            freeze_prototypes_steps=freeze_prototypes_steps,
        )
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width, batch_norm=True)
        width = layers.output_dim(self.projector, self.feature_width)
        self.prototypes = layers.prototype_head(prototypes, width)
        self.temperature = temperature
        self.epsilon = epsilon
        self.iterations = iterations
        self.queue_size = queue_size
        self.queue_start = queue_start
        self.freeze_prototypes_steps = freeze_prototypes_steps
        if queue_size:
            self.queue = self.add_state("queue", (queue_size, LARGE * width))

    def default_views(self, size):
        """`views.swav(size)`."""
        return views.swav(size)

    def freeze_schedule(self):
        """The prototypes."""
        return ((self.prototypes, self.freeze_prototypes_steps),)

    def compute_losses(self, batch, training):
        """Assignments of the large crops, over all replicas, predicted from every other crop."""
        z = self.project_together(batch.views, training)
        z = [l2_normalize(as_float(distribute.all_gather(crop))) for crop in z]
        scores = [self.prototypes(crop) for crop in z]
        assignments = self._assign(scores[:LARGE])
        temperature = self.current_value(self.temperature)
        loss = mean_over_ordered_pairs(
            lambda predicted, assigned: losses.swav(predicted, assigned, temperature),
            scores,
            assignments,
        )
        if training and self.queue_size:
            past = ops.convert_to_tensor(self.queue)
            newest = memory_bank.enqueue(past, ops.concatenate(z[:LARGE], axis=1))
            self.assign_state(self.queue, ops.where(self.step >= self.queue_start, newest, past))
        return {"loss": loss}

    def on_step_end(self):
        """Sets the length of the prototypes to 1."""
        if isinstance(self.prototypes, layers.Prototypes):
            self.prototypes.normalize()

    def _assign(self, scores):
        """Assignments `(B, K)` of each large crop, of one sinkhorn with the queue where full."""
        alone = [self._sinkhorn(crop) for crop in scores]
        if not self.queue_size:
            return alone
        rows = ops.shape(scores[0])[0]
        past = [self.prototypes(crop) for crop in ops.split(self.queue, LARGE, axis=1)]
        joined = [
            self._sinkhorn(ops.concatenate([crop, old], axis=0))[:rows]
            for crop, old in zip(scores, past, strict=True)
        ]
        is_full = ops.any(self.queue[-1] != 0)
        return [ops.where(is_full, b, a) for a, b in zip(alone, joined, strict=True)]

    def _sinkhorn(self, scores):
        return losses.sinkhorn(scores, self.epsilon, self.iterations)
