"""SwAV."""

import keras
from keras import ops

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.layers import memory_bank
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.training.batch import NUM_LARGE_CROPS, Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_int, check_positive_number, check_positive_schedule


@keras.saving.register_keras_serializable("keras_ssl")
class SwAV(SelfSupervisedModel):
    """SwAV: predict the assignment of one view to prototypes from the other views.

    Use it to learn clusters together with the features, and to gain from many small crops at little
    cost. It has no negatives and no momentum encoder. A step runs the encoder on every crop of each
    image; small crops are cheap. If the batch is much smaller than the number of prototypes, use a
    queue of past projections.

    `fit` logs `loss`, which is at least 0 and starts at about log(K). Lower is better. A loss that
    stays at log(K) means that all prototypes are used equally for every image: lower `epsilon` to
    0.03 or 0.02. A safe starting point is SGD with learning rate 0.5 * B / 256, momentum 0.9 and
    cosine decay.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        model = keras_ssl.SwAV(encoder, prototypes=512)
        model.compile(keras.optimizers.SGD(0.5, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        projector: Widths of dense layers with batch norm and ReLU between them and a linear output,
            or a Keras layer from `(B, D)` to `(B, width)`.
        prototypes: Int K >= 2, or a Keras layer from `(B, width)` to scores `(B, K)`.
        temperature: Float > 0 or Keras schedule, temperature of the predictions.
        epsilon: Float > 0, see `losses.sinkhorn`. Lower values make assignments sharper.
        iterations: Int >= 1, see `losses.sinkhorn`.
        queue_size: Int >= 0, number of past projections of each large crop that take part in the
            assignment once the queue is full. 0 for no queue.
        queue_start: Int >= 0, the step at which the queue starts to fill.
        freeze_prototypes_steps: Int >= 0, number of initial steps in which the prototypes are
            frozen.
        views: Sequence of V >= 2 views, the first two of them the large crops. None for
            `views.swav` at the size of the images.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the encoder is not as described.

    Source:
        Caron et al. 2020, https://arxiv.org/abs/2006.09882, algorithm 1. The default of
        `freeze_prototypes_steps` is that of the authors' code.
    """

    allows_small_crops = True

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (2048, 128),
        prototypes: int | keras.Layer = 3000,
        temperature: FloatOrSchedule = 0.1,
        epsilon: float = 0.05,
        iterations: int = 3,
        queue_size: int = 0,
        queue_start: int = 0,
        freeze_prototypes_steps: int = 313,
        **kwargs,
    ) -> None:
        check_positive_schedule(temperature=temperature)
        check_positive_number(epsilon=epsilon)
        check_int(1, iterations=iterations)
        check_int(0, queue_size=queue_size, queue_start=queue_start)
        check_int(0, freeze_prototypes_steps=freeze_prototypes_steps)
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
            self.queue = self.add_state("queue", (queue_size, NUM_LARGE_CROPS * width))

    def default_views(self, size: Size) -> Views:
        return views.swav(size)

    def freeze_schedule(self) -> tuple[tuple[keras.Layer, int], ...]:
        return ((self.prototypes, self.freeze_prototypes_steps),)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the loss of each large crop's assignment, predicted from every other crop."""
        z = self.project_together(batch.views, training)
        z = [l2_normalize(as_float(distribute.all_gather(crop))) for crop in z]
        scores = [self.prototypes(crop) for crop in z]
        assignments = self._assign(scores[:NUM_LARGE_CROPS])
        temperature = self.current_value(self.temperature)

        def swav(predicted, assigned):
            return losses.swav(predicted, assigned, temperature)

        loss = mean_over_ordered_pairs(swav, scores, assignments)
        if training and self.queue_size:
            queue = ops.convert_to_tensor(self.queue)
            updated = memory_bank.enqueue(queue, ops.concatenate(z[:NUM_LARGE_CROPS], axis=1))
            self.assign_state(self.queue, ops.where(self.step >= self.queue_start, updated, queue))
        return {"loss": loss}

    def on_step_end(self) -> None:
        """Normalizes the prototypes to unit length."""
        if isinstance(self.prototypes, layers.Prototypes):
            self.prototypes.normalize()

    def _assign(self, scores):
        """Returns the assignments `(B, K)` of each large crop, computed with the queue if full."""
        without_queue = [self._sinkhorn(crop) for crop in scores]
        if not self.queue_size:
            return without_queue
        batch_size = ops.shape(scores[0])[0]
        past = [self.prototypes(z) for z in ops.split(self.queue, NUM_LARGE_CROPS, axis=1)]
        with_queue = [
            self._sinkhorn(ops.concatenate([crop, past_crop], axis=0))[:batch_size]
            for crop, past_crop in zip(scores, past, strict=True)
        ]
        is_full = ops.any(self.queue[-1] != 0)
        return [ops.where(is_full, *pair) for pair in zip(with_queue, without_queue, strict=True)]

    def _sinkhorn(self, scores):
        return losses.sinkhorn(scores, self.epsilon, self.iterations)
