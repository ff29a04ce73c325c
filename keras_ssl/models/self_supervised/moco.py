"""MoCo, versions 2 and 3."""

import keras

from keras_ssl import distribute, layers, losses, views
from keras_ssl._types import FloatOrSchedule, Head, Size, Tensor, Views
from keras_ssl.layers import memory_bank
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.view_pairs import mean_over_ordered_pairs
from keras_ssl.validation import check_int, check_momentum, check_positive_schedule

DEFAULT_PROJECTOR = {2: (2048, 128), 3: (4096, 256)}  # by version
DEFAULT_QUEUE_SIZE = 4096


@keras.saving.register_keras_serializable("keras_ssl")
class MoCo(SelfSupervisedModel):
    """MoCo: contrastive learning with the keys of a momentum encoder.

    Version 2 contrasts queries with a queue of past keys. Use it for small batches (64 is enough):
    its negatives do not come from the batch. Version 3 adds a predictor, uses both directions and
    takes its negatives from the batch. Use it with batches of 256 or more, for better features and
    for vision transformers. Both versions keep a second encoder in memory. A step runs two forward
    passes per image in version 2 and four in version 3, half of them without a gradient.

    `fit` logs `loss`, which is at least 0. It starts at about log(queue_size) in version 2 and at
    about 4 * temperature * log(B) in version 3. Lower is better. A safe starting point is SGD with
    learning rate 0.06 * B / 128, momentum 0.9 and cosine decay.

        encoder = keras_ssl.encoders.small_resnet((32, 32, 3))
        model = keras_ssl.MoCo(encoder, version=3)
        model.compile(keras.optimizers.SGD(0.12, momentum=0.9))
        model.fit(images, batch_size=256, epochs=50)

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features `(B, D)`.
        version: 2 or 3.
        projector: Widths of dense layers, or a Keras layer from `(B, D)` to `(B, width)`. Version 2
            has ReLU between the layers; None for `(2048, 128)`. Version 3 has batch norm and ReLU
            between them and batch norm without scale and offset at the end; None for `(4096, 256)`.
        predictor: Version 3 only. Widths of dense layers with batch norm and ReLU between them and
            a linear output, ending in the projector's width; or a Keras layer from `(B, width)` to
            `(B, width)`. None for `(16 * width, width)`.
        temperature: Float > 0 or Keras schedule. Lower values put more weight on hard negatives.
        momentum: Float in 0..1 or Keras schedule, the decay of the moving averages
            `momentum_encoder` and `momentum_projector`. On ImageNet, the papers use 0.999 in
            version 2 and let it rise to 1 in version 3, as
            `keras_ssl.schedules.CosineMomentum(0.99, steps)` does.
        queue_size: Version 2 only. Int >= 1, number of past keys used as negatives. None for 4096.
            The paper uses 65,536 on ImageNet.
        num_chunks: Int >= 1, number of chunks in which the similarities are computed. See
            `losses.info_nce`.
        views: Sequence of V >= 2 views. None for `views.simclr` (version 2) or `views.byol`
            (version 3) at the size of the images. With more than two views, version 2 computes its
            key from the second and queries from the others; version 3 uses all ordered pairs.
        seed: Int, which also draws the initial queue. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, an argument belongs to the other version, the
            predictor's width is not the projector's, or the encoder is not as described.

    Source:
        He et al. 2019, https://arxiv.org/abs/1911.05722, algorithm 1; version 2: Chen et al. 2020,
        https://arxiv.org/abs/2003.04297; version 3: Chen et al. 2021,
        https://arxiv.org/abs/2104.02057, algorithm 1. Batch norm is computed over the full batch of
        all replicas, so the papers' shuffling between devices is not needed.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        version: int = 2,
        projector: Head | None = None,
        predictor: Head | None = None,
        temperature: FloatOrSchedule = 0.2,
        momentum: FloatOrSchedule = 0.99,
        queue_size: int | None = None,
        num_chunks: int = 1,
        **kwargs,
    ) -> None:
        if not isinstance(version, int) or version not in (2, 3):
            raise ValueError(f"`version` must be 2 or 3, received {version!r}.")
        _check_unused(version, predictor=(predictor, 3), queue_size=(queue_size, 2))
        check_positive_schedule(temperature=temperature)
        check_momentum(momentum=momentum)
        check_int(1, num_chunks=num_chunks)
        super().__init__(encoder, **kwargs)
        self.version = version
        self.projector = layers.projection_head(
            DEFAULT_PROJECTOR[version] if projector is None else projector,
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
            self.queue_size = DEFAULT_QUEUE_SIZE if queue_size is None else queue_size
            check_int(1, queue_size=self.queue_size)
            rows = memory_bank.random_unit_vectors(self.queue_size, width, self.seed)
            self.queue = self.add_state("queue", rows.shape, rows)
        self.add_ema_copies()

    def default_views(self, size: Size) -> Views:
        return views.simclr(size) if self.version == 2 else views.byol(size)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns InfoNCE against the queue (version 2) or within the full batch (version 3)."""
        compute_loss = self._loss_against_queue if self.version == 2 else self._loss_within_batch
        return {"loss": compute_loss(batch, training)}

    def on_step_end(self) -> None:
        self.update_ema_copies()

    def _loss_against_queue(self, batch, training):
        temperature = self.current_value(self.temperature)
        first, second, *others = batch.views
        key = distribute.all_gather(self.project(second, training, momentum=True))
        queries = [distribute.all_gather(self.project(view, training)) for view in (first, *others)]
        terms = [
            losses.info_nce(query, key, self.queue, temperature, self.num_chunks)
            for query in queries
        ]
        if training:
            newest = l2_normalize(as_float(key))
            self.assign_state(self.queue, memory_bank.enqueue(self.queue, newest))
        return sum(terms[1:], terms[0]) / len(terms)

    def _loss_within_batch(self, batch, training):
        temperature = self.current_value(self.temperature)
        z = [self.project(view, training) for view in batch.views]
        queries = [distribute.all_gather(self.predictor(x, training=training)) for x in z]
        keys = [
            distribute.all_gather(self.project(view, training, momentum=True))
            for view in batch.views
        ]

        def info_nce(query, key):
            return losses.info_nce(query, key, temperature=temperature, num_chunks=self.num_chunks)

        # The paper sums both directions and multiplies by 2 * temperature, which keeps the size of
        # the gradient independent of the temperature.
        return 2.0 * (2.0 * temperature) * mean_over_ordered_pairs(info_nce, queries, keys)


def _check_unused(version, **arguments):
    """Raises for an argument `name=(value, version)` that another version would ignore."""
    for name, (value, used_by) in arguments.items():
        if value is not None and used_by != version:
            raise ValueError(
                f"`{name}` belongs to version {used_by} of MoCo and must be None with "
                f"`version={version}`, received {value!r}."
            )
