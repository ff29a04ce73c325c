"""MoCo: a query finds the key that a momentum encoder makes of the other view."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl.layers import memory_bank
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_int, check_momentum, check_positive, check_schedule

PROJECTOR = {2: (2048, 128), 3: (4096, 256)}
QUEUE_SIZE = 4096


@keras.saving.register_keras_serializable("keras_ssl")
class MoCo(SelfSupervisedModel):
    """Learns an encoder by contrast with the keys of a momentum encoder.

    Version 2 keeps past keys in a queue: choose it for contrast with small batches, 64 will do, as
    negatives do not come from the batch. Version 3 has a predictor and both directions instead, and
    takes its negatives from the batch: choose it, with 256 images and more, for better features and
    for vision transformers. Both cost a second encoder in memory; two passes a step (version 2) or
    four. `fit` logs `loss`, at the start about log(queue_size), or 4 * temperature * log(B) in
    version 3. A safe start is SGD, learning rate 0.06 * B / 128, momentum 0.9, cosine decay.

        model = keras_ssl.MoCo(encoder, version=3)
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        version: 2 or 3.
        projector: Tuple of widths, or a keras layer. Version 2: ReLU between; (2048, 128) where
            None. Version 3: batch norm and ReLU between, batch norm without scale and offset at the
            end; (4096, 256) where None.
        predictor: Version 3 only: tuple of widths with batch norm and ReLU between, linear at the
            end, the last of them the projector's; or a keras layer. None for 16 times that width,
            then it.
        temperature: Float > 0 or Keras schedule.
        momentum: Float in 0..1 or Keras schedule: how much of `momentum_encoder` and
            `momentum_projector` stays at each step. The papers' is 0.999 on ImageNet, and rises
            to 1 in version 3: `keras_ssl.schedules.CosineMomentum(0.99, steps)`.
        queue_size: Version 2 only: int >= 1, keys to tell a query's own from; None for 4096. The
            paper's is 65,536 for ImageNet.
        num_chunks: Int >= 1, in how many parts similarities are computed, see `losses.info_nce`.
        views: Sequence of V >= 2 views; None for `views.simclr` (version 2) or `views.byol`
            (version 3) at the size of the images. With more than two views, version 2 takes its
            key from the second and queries from the others; version 3 takes all ordered pairs.
        seed: Int, see `SelfSupervisedModel`; also of the random rows that the queue starts with.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, an argument is of the other version, the
            predictor's width is not the projector's, or the encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        He et al. 2019, https://arxiv.org/abs/1911.05722, algorithm 1; version 2: Chen et al. 2020,
        https://arxiv.org/abs/2003.04297; version 3: Chen et al. 2021,
        https://arxiv.org/abs/2104.02057, algorithm 1. Batch norm sees the whole batch on all
        replicas: there is nothing to shuffle between devices.
    """

    def __init__(
        self,
        encoder,
        *,
        version=2,
        projector=None,
        predictor=None,
        temperature=0.2,
        momentum=0.99,
        queue_size=None,
        num_chunks=1,
        **kwargs,
    ):
        if not isinstance(version, int) or version not in (2, 3):
            raise ValueError(f"`version` must be 2 or 3, received {version!r}.")
        _refuse_other(version, predictor=predictor, queue_size=queue_size)
        check_schedule(temperature=temperature)
        check_positive(temperature=temperature)
        check_momentum(momentum=momentum)
        check_int(1, num_chunks=num_chunks)
        super().__init__(encoder, **kwargs)
        self.version = version
        self.projector = layers.projection_head(
            PROJECTOR[version] if projector is None else projector,
            self.feature_width,
            batch_norm=version == 3,
            final_batch_norm="no_affine" if version == 3 else None,
        )
        width = layers.output_dim(self.projector, self.feature_width)
        self.temperature = temperature
        self.momentum = momentum
        self.num_chunks = num_chunks
        self.predictor, self.queue_size = None, None
        if version == 3:
            self.predictor = layers.prediction_head(predictor, width, hidden=16 * width)
        else:
            self.queue_size = QUEUE_SIZE if queue_size is None else queue_size
            check_int(1, queue_size=self.queue_size)
            rows = memory_bank.random_unit_vectors(self.queue_size, width, self.seed)
            self.queue = self.add_state("queue", rows.shape, rows)
        self.add_ema_copies()

    def default_views(self, size):
        """`views.simclr(size)` of version 2, `views.byol(size)` of version 3."""
        return views.simclr(size) if self.version == 2 else views.byol(size)

    def compute_losses(self, batch, training):
        """Contrast with the queue (version 2), or with the batch in all directions (version 3)."""
        return {
            "loss": (self._with_queue if self.version == 2 else self._in_batch)(batch, training)
        }

    def on_step_end(self):
        """Moves the momentum copies."""
        self.update_ema_copies()

    def _with_queue(self, batch, training):
        temperature = self.current_value(self.temperature)
        first, second, *others = batch.views
        key = distribute.all_gather(self.project(second, training, momentum=True))
        queries = [distribute.all_gather(self.project(view, training)) for view in (first, *others)]
        each = [
            losses.info_nce(query, key, self.queue, temperature, self.num_chunks)
            for query in queries
        ]
        if training:
            self.assign_state(
                self.queue, memory_bank.enqueue(self.queue, l2_normalize(as_float(key)))
            )
        return sum(each[1:], each[0]) / len(each)

    def _in_batch(self, batch, training):
        temperature = self.current_value(self.temperature)
        z = [self.project(view, training) for view in batch.views]
        q = [distribute.all_gather(self.predictor(each, training=training)) for each in z]
        k = [
            distribute.all_gather(self.project(view, training, momentum=True))
            for view in batch.views
        ]

        def loss(query, key):
            return losses.info_nce(query, key, temperature=temperature, num_chunks=self.num_chunks)

        # The paper's factor makes gradients independent of the temperature; two directions.
        return 2.0 * (2.0 * temperature) * mean_over_ordered_pairs(loss, q, k)


def _refuse_other(version, **arguments):
    """Raises for an argument that the version would silently ignore."""
    owner = {"predictor": 3, "queue_size": 2}
    for name, value in arguments.items():
        if value is not None and owner[name] != version:
            raise ValueError(
                f"`{name}` belongs to version {owner[name]} of MoCo, and `version` is {version}; "
                f"received {value!r}."
            )
