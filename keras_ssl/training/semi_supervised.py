"""The base class of methods that train a classifier on few labels and many images."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_ssl import _internals, distribute, export, layers
from keras_ssl import images as pixels
from keras_ssl._types import FloatOrSchedule, PathLike, Tensor
from keras_ssl.encoders.classifier import extract_encoder
from keras_ssl.encoders.interface import check_network, num_classes_of
from keras_ssl.numerics import as_float, cross_entropy, mean, one_hot
from keras_ssl.training.batch import LabeledBatch, SemiSupervisedBatch
from keras_ssl.training.fit import semi_supervised_inputs
from keras_ssl.training.method import Method
from keras_ssl.validation import check_momentum, check_non_negative, check_schedule


class Logits(NamedTuple):
    """Logits of a batch, float32, of all replicas.

    Attributes:
        labeled: `(B, K)`.
        weak: `(U, K)`, or None if the method does not use that view.
        strong: `(U, K)`, or None.
    """

    labeled: Any
    weak: Any = None
    strong: Any = None


class SemiSupervisedModel(Method):
    """Base class of methods that train a classifier on few labels and many unlabeled images.

    A method defines the loss of the unlabeled images:

        from keras_ssl import losses, models

        @keras.saving.register_keras_serializable("my_package")
        class MyMethod(models.SemiSupervisedModel):
            def compute_unlabeled(self, logits, batch):
                loss, mask = losses.fixmatch(logits.weak, logits.strong, threshold=0.95)
                return {"unsupervised_loss": loss, "mask": mask, "threshold": 0.95}

    Labeled images, weak and strong views run through the classifier as one batch, so that batch
    normalization sees all of them. Gradients flow through everything that the losses do not stop.
    `call`, `predict`, `evaluate` and `export` use an exponential moving average of the weights,
    `ema_classifier`, with the batch norm statistics of the classifier. `classifier` holds the
    trained weights.

    `fit` logs `loss`, `supervised_loss`, `unsupervised_loss`, `mask_rate` (the fraction of
    unlabeled images used, or their mean weight), `threshold`, the compiled metrics on the labeled
    images, and, if the data has labels of unlabeled images, `pseudo_label_accuracy` of the images
    used (0 in an epoch without any).

    Arguments that may be fractions refer to the run: all steps made so far and those of the current
    call of `fit`. Give them in steps if `fit` is called epoch by epoch. That every class has a
    label and a logit is checked only for data from `data.semi_supervised`.

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        ema_momentum: Float in 0..1 or Keras schedule: weight of the moving average at each step.
            0.999 suits tens of thousands of steps; use 0.95 for hundreds.
        unlabeled_weight: Float >= 0 or Keras schedule: weight of the unsupervised loss.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        ValueError: If the classifier is not built, cannot be saved or does not return logits
            `(B, K)`.
        TypeError: If an argument has the wrong type.
    """

    evaluation_logs: tuple[str, ...] | None = ()  # the loss and the compiled metrics only
    extra_logs: tuple[str, ...] = ()  # names of further results of `compute_unlabeled` to log
    # Views of the unlabeled images that the method uses.
    forward_views: tuple[str, ...] = ("weak", "strong")
    unsupported_compile_args = {
        "loss": "the method defines its own loss",
        "loss_weights": "use `unlabeled_weight` to weight the unlabeled images",
        "views_on": "the data decides where views are made, see `data.semi_supervised`",
    }

    def __init__(
        self,
        classifier: keras.Model,
        *,
        ema_momentum: FloatOrSchedule = 0.999,
        unlabeled_weight: FloatOrSchedule = 1.0,
        seed: int = 0,
        **kwargs,
    ):
        check_network(classifier, "classifier", "logits (B, K)")
        check_momentum(ema_momentum=ema_momentum)
        check_schedule(unlabeled_weight=unlabeled_weight)
        check_non_negative(unlabeled_weight=unlabeled_weight)
        super().__init__(seed=seed, **kwargs)
        self.num_classes = num_classes_of(classifier)
        self.classifier = classifier
        self.add_ema_copy("ema_classifier", classifier)
        self.ema_momentum = ema_momentum
        self.unlabeled_weight = unlabeled_weight
        self._make_views: Any = None  # see `sources.PreparedData`
        self.total_steps = self.add_state("total_steps", (), 0, dtype="int32")

    @property
    def inference_model(self) -> keras.Model:
        """The classifier with averaged weights."""
        return self.ema_classifier

    @property
    def num_unlabeled_bound(self) -> int | None:
        """Exclusive upper bound of `index`; None if the method needs none."""
        return None

    @property
    def schedule_args(self) -> tuple[str, ...]:
        """Names of the arguments that, unless ints, need the length of the run."""
        return ()

    def unpack_batch(self, data: Any) -> SemiSupervisedBatch | LabeledBatch:
        """Returns the batch in the data of a step of training or of evaluation."""
        if isinstance(data, tuple) and isinstance(data[0], dict) and "unlabeled" in data[0]:
            data = self._make_views(data)  # images without views
        return SemiSupervisedBatch.from_keras(data)

    def compute_unlabeled(self, logits: Logits, batch: SemiSupervisedBatch) -> dict[str, Any]:
        """Returns the loss of the unlabeled images and what is logged of it.

        Args:
            logits: `Logits` of the whole batch, of all replicas.
            batch: `SemiSupervisedBatch` of this replica.

        Returns:
            Dict of `"unsupervised_loss"` (scalar), `"mask"` (`(U,)`, the weight of each unlabeled
            image), `"threshold"` (scalar, logged) and the names in `extra_logs`; also
            `"pseudo_labels"`, `(U,)`, if they are not the argmax of the weak view.
        """
        raise NotImplementedError

    def compute_supervised(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss of the labeled images: logits `(B, K)`, labels `(B,)`, all replicas."""
        return cross_entropy(logits, one_hot(labels, logits))

    def unsupervised_weight(self) -> float | Tensor:
        """Returns the weight of the unsupervised loss at this step."""
        return self.current_value(self.unlabeled_weight)

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Returns the logits `(B, K)`, float32, of the averaged weights, always in inference mode.

        Args:
            images: `(B, H, W, C)`, uint8 0..255 or float 0..1.
            training: Bool, ignored: `classifier` is trained.
        """
        return super().call(images, training=False)

    def compute_losses(
        self, batch: SemiSupervisedBatch | LabeledBatch, training: bool
    ) -> dict[str, Any]:
        """Returns supervised plus weighted unsupervised loss.

        In evaluation, of a `LabeledBatch`, the supervised loss of the averaged weights.
        """
        if isinstance(batch, LabeledBatch):
            logits = self.forward(self.ema_classifier, batch.images, training=False)
            labels = distribute.all_gather(batch.labels)
            gathered = distribute.all_gather(logits)
            loss = SemiSupervisedModel.compute_supervised(self, gathered, labels)
            return {"loss": loss, "outputs": logits}
        local = self._forward_all(batch, training)
        logits = Logits(*(x if x is None else distribute.all_gather(x) for x in local))
        supervised = self.compute_supervised(logits.labeled, distribute.all_gather(batch.labels))
        terms = self.compute_unlabeled(logits, batch)
        mask = terms.pop("mask")
        pseudo_labels = terms.pop("pseudo_labels", None)
        terms["threshold"] = ops.convert_to_tensor(terms["threshold"], mask.dtype)
        losses = {"supervised_loss": supervised, **terms, "mask_rate": mean(mask)}
        if batch.unlabeled_labels is not None:
            if pseudo_labels is None:
                pseudo_labels = ops.argmax(logits.weak, axis=1)
            labels = distribute.all_gather(batch.unlabeled_labels)
            losses["pseudo_label_accuracy"] = _accuracy(pseudo_labels, labels, mask)
        # Not `cast`, which takes a bare number through float32 on TensorFlow.
        weight = ops.convert_to_tensor(self.unsupervised_weight(), supervised.dtype)
        total = supervised + weight * terms["unsupervised_loss"]
        return {"loss": total, **losses, "outputs": local.labeled}

    def on_step_end(self) -> None:
        """Updates the averaged weights; batch norm statistics are copied."""
        momentum = self.current_value(self.ema_momentum)
        layers.ema_update(self.ema_classifier, self.classifier, momentum, copy_statistics=True)

    def to_steps(self, value: int | float) -> Tensor:
        """Returns a number of steps from an int (steps) or a float (fraction of the run)."""
        if isinstance(value, float):
            return value * ops.cast(self.total_steps, keras.config.floatx())
        return ops.cast(value, keras.config.floatx())

    def progress(self, length: int | float) -> Tensor:
        """Returns the completed fraction of `length`, in steps or a fraction of the run."""
        step = ops.cast(self.step, keras.config.floatx())
        steps = self.to_steps(length)
        fraction = ops.minimum(step / ops.maximum(steps, 1e-12), 1.0)
        return ops.where(steps > 0, fraction, ops.ones_like(fraction))

    def export_encoder(self, path: PathLike) -> None:
        """Writes a TensorFlow SavedModel of the classifier without its last layer.

            encoder = tf.saved_model.load(path)
            features = encoder.serve(images)  # uint8 0..255 to float32 (B, D)

        Raises:
            ValueError: If the classifier is not functional with a dense layer at its end.
        """
        export.write(extract_encoder(self.ema_classifier), path, verbose=False)

    def on_dataset_info(self, info: Any) -> None:
        """Receives statistics of the dataset before training.

        Args:
            info: A `data.semi_supervised.DatasetInfo`; None for data from elsewhere.
        """

    def _forward_all(self, batch, training):
        """Returns the logits of this replica's images, from one pass."""
        names = ("labeled", *self.forward_views)
        parts = [pixels.to_unit_range(getattr(batch, name)) for name in names]
        images = ops.concatenate([ops.cast(part, parts[0].dtype) for part in parts], axis=0)
        logits = self.forward(self.classifier, images, training)
        logits_by_part, start = {}, 0
        for name, part in zip(names, parts, strict=True):
            end = start + ops.shape(part)[0]
            logits_by_part[name], start = logits[start:end], end
        return Logits(**logits_by_part)

    def _prepare_training(self, source, plan):
        return semi_supervised_inputs.prepare_training(self, source, plan)

    def _prepare_evaluation(self, source, batch_size):
        return semi_supervised_inputs.prepare_evaluation(self, source, batch_size)

    def _on_run_begin(self, train, steps):
        """Stores the length of the run, for arguments that are a fraction of it."""
        if not self.classifier.trainable_weights:
            raise ValueError(
                "`classifier` has no trainable weights: all are frozen, individually or as a whole."
            )
        if train.make_views != self._make_views:
            self._make_views = train.make_views
            self.train_function = None  # it would make the views of the last run
        self.on_dataset_info(train.info)
        relative = [n for n in self.schedule_args if not isinstance(getattr(self, n), int)]
        if steps is None and relative:
            value = getattr(self, relative[0])
            raise ValueError(
                f"`{relative[0]}={value!r}` is relative to the length of the run, but the number "
                "of steps per epoch of `x` is unknown. Pass `steps_per_epoch` to `fit`."
            )
        batches = int(ops.convert_to_numpy(_internals.micro_iterations(self.optimizer)))
        total = batches + (steps or 0)
        self.total_steps.assign(total // (self.gradient_accumulation_steps or 1))

    def _loss_names(self, first):
        names = ["loss", "supervised_loss", "unsupervised_loss", *self.extra_logs]
        names += ["mask_rate", "threshold"]
        return names + ["pseudo_label_accuracy"] * ("unlabeled_labels" in first[0])

    def _build_training(self, first):
        super()._build_training(first if isinstance(first[0], dict) else None)
        metrics = _internals.compile_metrics(self)
        if metrics is None or metrics.built:
            return
        with distribute.strategy_scope(self):
            labels = keras.KerasTensor((None,), "int32")
            metrics.build(labels, keras.KerasTensor((None, self.num_classes)))
        for name in ("loss", *self._trackers_by_term):
            if name in metrics.result():
                raise ValueError(
                    f"`metrics` contains {name!r}, a name that {type(self).__name__} logs itself. "
                    "Rename the metric."
                )


def _accuracy(pseudo_labels, labels, mask):
    """Returns the accuracy of the pseudo-labels that are used, and its weight in the mean."""
    labels = ops.cast(labels, "int32")
    weights = as_float(mask) * ops.cast(labels >= 0, mask.dtype)
    is_correct = ops.equal(ops.cast(pseudo_labels, "int32"), labels)
    total = ops.sum(weights)
    correct = ops.sum(weights * ops.cast(is_correct, mask.dtype))
    return correct / ops.maximum(total, 1e-12), total
