"""What every method inherits that learns from few labels and many images."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_ssl import distribute, export
from keras_ssl import images as pixels
from keras_ssl.encoders.classifier import encoder_of
from keras_ssl.encoders.interface import check_network, num_classes_of
from keras_ssl.layers import ema
from keras_ssl.numerics import as_float, cross_entropy, mean, one_hot
from keras_ssl.training.batch import LabeledBatch, SemiSupervisedBatch
from keras_ssl.training.fit import semi_supervised_inputs
from keras_ssl.training.method import Method
from keras_ssl.validation import check_momentum, check_non_negative, check_schedule


class Logits(NamedTuple):
    """What the classifier says of a batch, float32, over all replicas.

    Attributes:
        labeled: `(B, K)`.
        weak: `(U, K)`, None if the method has no use for that view.
        strong: `(U, K)`, likewise.
    """

    labeled: Any
    weak: Any = None
    strong: Any = None


class SemiSupervisedModel(Method):
    """Learns a classifier from few labels and many images; the base class of the methods.

    A method states what it makes of the unlabeled images:

        @keras.saving.register_keras_serializable("mine")
        class Mine(keras_ssl.models.SemiSupervisedModel):
            def compute_unlabeled(self, logits, batch):
                loss, mask = losses.fixmatch(logits.weak, logits.strong, 0.95)
                return {"unsupervised_loss": loss, "mask": mask, "threshold": 0.95}

    Labeled images, weak and strong views pass the classifier together, so that batch norm sees all
    of them; a gradient comes from all that the losses do not stop. `call`, `predict`, `evaluate`
    and `export` use a moving average of the weights, `ema_classifier`, with the classifier's own
    batch norm statistics; `classifier` holds the weights that are trained.

    `fit` logs `loss`, `supervised_loss`, `unsupervised_loss`, `mask_rate` (the share of unlabeled
    images that counted, or their mean weight), `threshold`, the compiled metrics on the labeled
    images, and where the data has labels of the unlabeled ones `pseudo_label_accuracy`: of the
    images that counted and whose label is known, 0 in an epoch without one.

    Arguments that may be fractions are of "the run": all steps made so far and those of the present
    call of `fit`. Where `fit` is called epoch by epoch, give them in steps. That every class has a
    label, and a logit, is known only of data that `data.semi_supervised` made.

    Args:
        classifier: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to logits `(B, K)`.
        ema_momentum: Float in 0..1 or Keras schedule by steps: how much of the moving average stays
            at each step. 0.999 suits tens of thousands of steps; in a run of hundreds take 0.95.
        unlabeled_weight: Float >= 0 or Keras schedule by steps, of the unsupervised loss.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        ValueError: If the classifier is not built, cannot be saved or does not return logits
            `(B, K)`.
        TypeError: If an argument is of the wrong kind.
    """

    forward_views = ("weak", "strong")  # of the unlabeled images
    extra_logs = ()  # further names of what `compute_unlabeled` returns to be logged
    num_unlabeled_bound = None  # what each `index` must be below, where that matters
    schedule_args = ()  # names of arguments that, unless ints, need the length of the run
    unpack_batch = staticmethod(SemiSupervisedBatch.from_keras)
    unsupported_compile_args = {
        "loss": "it has a loss of its own",
        "loss_weights": "weigh the unlabeled images by `unlabeled_weight`",
    }

    def __init__(self, classifier, *, ema_momentum=0.999, unlabeled_weight=1.0, seed=0, **kwargs):
        check_network(classifier, "classifier", "logits (B, K)")
        check_momentum(ema_momentum=ema_momentum)
        check_schedule(unlabeled_weight=unlabeled_weight)
        check_non_negative(unlabeled_weight=unlabeled_weight)
        super().__init__(seed=seed, **kwargs)
        self.num_classes = num_classes_of(classifier)
        self.classifier = classifier
        self.ema_classifier = ema.make_ema_copy(classifier)
        self.ema_momentum = ema_momentum
        self.unlabeled_weight = unlabeled_weight
        self._is_evaluating = False
        self.total_steps = self.add_state("total_steps", (), 0, dtype="int32")

    @property
    def inference_model(self):
        """The classifier with averaged weights."""
        return self.ema_classifier

    def compute_unlabeled(self, logits, batch):
        """States the method.

        Args:
            logits: `Logits` of the whole batch, over all replicas.
            batch: `SemiSupervisedBatch` of this replica.

        Returns:
            Dict of `"unsupervised_loss"` (scalar), `"mask"` (`(U,)`, what each unlabeled image
            counts), `"threshold"` (scalar, to be logged), and what `extra_logs` names; also
            `"pseudo_labels"`, `(U,)`, where they are not the weak view's likeliest classes.
        """
        raise NotImplementedError

    def compute_supervised(self, logits, labels):
        """The loss on labeled images, logits `(B, K)` and labels `(B,)` of all replicas."""
        return cross_entropy(logits, one_hot(labels, logits))

    def unsupervised_weight(self):
        """What the unsupervised loss counts at this step."""
        return self.current_value(self.unlabeled_weight)

    def call(self, images, training=False):
        """Returns the logits `(B, K)`, float32, of the averaged weights, always as in inference.

        Args:
            images: `(B, H, W, C)`, uint8 0..255 or float 0..1.
            training: Bool, of no consequence: `classifier` is what is trained.
        """
        return super().call(images, training=False)

    def compute_losses(self, batch, training):
        """The labeled loss plus the method's; in evaluation the labeled one of averaged weights.

        Evaluation takes a `LabeledBatch`.
        """
        if isinstance(batch, LabeledBatch):
            logits = self.forward(self.ema_classifier, batch.images, training=False)
            labels = distribute.all_gather(batch.labels)
            loss = SemiSupervisedModel.compute_supervised(
                self, distribute.all_gather(logits), labels
            )
            return {"loss": loss, "outputs": logits}
        local = self._forward(batch, training)
        logits = Logits(*(None if part is None else distribute.all_gather(part) for part in local))
        supervised = self.compute_supervised(logits.labeled, distribute.all_gather(batch.labels))
        terms = self.compute_unlabeled(logits, batch)
        mask = terms.pop("mask")
        pseudo_labels = terms.pop("pseudo_labels", None)
        terms["threshold"] = ops.convert_to_tensor(terms["threshold"], mask.dtype)
        losses = {"supervised_loss": supervised, **terms, "mask_rate": mean(mask)}
        if batch.unlabeled_labels is not None:
            if pseudo_labels is None:
                pseudo_labels = ops.argmax(logits.weak, axis=1)
            truth = distribute.all_gather(batch.unlabeled_labels)
            losses["pseudo_label_accuracy"] = _accuracy(pseudo_labels, truth, mask)
        # Not cast: that takes a bare number in float32 on TensorFlow.
        weight = ops.convert_to_tensor(self.unsupervised_weight(), supervised.dtype)
        total = supervised + weight * terms["unsupervised_loss"]
        return {"loss": total, **losses, "outputs": local.labeled}

    def on_step_end(self):
        """Moves the averaged weights; the statistics of batch norm are copied."""
        keep = self.current_value(self.ema_momentum)
        ema.ema_update(self.ema_classifier, self.classifier, keep, copy_statistics=True)

    def to_steps(self, value):
        """Steps of an argument that is a number of steps (int) or a fraction of the run (float)."""
        if isinstance(value, float):
            return value * ops.cast(self.total_steps, keras.config.floatx())
        return ops.cast(value, keras.config.floatx())

    def progress(self, length):
        """How much of `length`, steps or a fraction of the run, has passed: a scalar in 0..1."""
        passed = ops.cast(self.step, keras.config.floatx())
        steps = self.to_steps(length)
        part = ops.minimum(passed / ops.maximum(steps, 1e-12), 1.0)
        return ops.where(steps > 0, part, ops.ones_like(part))

    def evaluate(self, *args, **kwargs):
        """Returns the loss of the averaged weights on images with labels, and compiled metrics.

        Args:
            *args: As `keras.Model.evaluate`: a `tf.data.Dataset` of batches `(images, labels)` or
                of dicts, or arrays `x` and `y`.
            **kwargs: Likewise. No image is dropped.
        """
        self._is_evaluating = True
        try:
            return super().evaluate(*args, **kwargs)
        finally:
            self._is_evaluating = False

    def get_metrics_result(self):
        """Results of all metrics by name; in evaluation without those of training alone.

        Keras takes them over what a step returns where both have the same names: under replicas
        they alone count all images alike.
        """
        results = super().get_metrics_result()
        hidden = self._trackers_by_term if self._is_evaluating else ()
        return {name: value for name, value in results.items() if name not in hidden}

    def export_encoder(self, path):
        """Writes a TensorFlow SavedModel of the classifier without its last layer.

            encoder = tf.saved_model.load(path)
            features = encoder.serve(images)  # uint8 0..255 to float32 (B, D)

        Raises:
            ValueError: If the classifier is not functional with a dense layer at its end.
        """
        export.write(encoder_of(self.ema_classifier), path, verbose=False)

    def _forward(self, batch, training):
        """Logits of this replica's images, from one pass."""
        names = ("labeled", *self.forward_views)
        parts = [pixels.to_unit_range(getattr(batch, name)) for name in names]
        together = ops.concatenate([ops.cast(part, parts[0].dtype) for part in parts], axis=0)
        logits = self.forward(self.classifier, together, training)
        found, start = {}, 0
        for name, part in zip(names, parts, strict=True):
            end = start + ops.shape(part)[0]
            found[name], start = logits[start:end], end
        return Logits(**found)

    def _training_data(self, x, y, *, start, steps_per_epoch, passes, **kwargs):
        return semi_supervised_inputs.prepare_training(self, x, y, steps_per_epoch, start, passes)

    def _evaluation_data(self, x, y, *, batch_size):
        return semi_supervised_inputs.prepare_evaluation(self, x, y, batch_size=batch_size)

    def _begin(self, train, steps):
        """Notes how long the run is, for what is a fraction of it."""
        if not self.classifier.trainable_weights:
            raise ValueError(
                "`classifier` has no weights to train: all are frozen, one by one or as a whole."
            )
        self.on_dataset_info(train.facts)
        needing = [n for n in self.schedule_args if not isinstance(getattr(self, n), int)]
        if steps is None and needing:
            value = getattr(self, needing[0])
            raise ValueError(
                f"`{needing[0]}={value!r}` is relative to the length of the run, and how many "
                "steps an epoch of `x` has is not known: pass `steps_per_epoch` to fit."
            )
        made = int(ops.convert_to_numpy(self._inner_optimizer._iterations))  # batches
        total = made + (steps or 0)
        self.total_steps.assign(total // (self.gradient_accumulation_steps or 1))

    def on_dataset_info(self, facts):
        """Hears what is known of the data before training starts.

        Args:
            facts: A `data.semi_supervised.Facts`; None of data made by other means.
        """

    def _loss_names(self, first):
        names = ["loss", "supervised_loss", "unsupervised_loss", *self.extra_logs]
        names += ["mask_rate", "threshold"]
        return names + ["pseudo_label_accuracy"] * ("unlabeled_labels" in first[0])

    def _prepare(self, first):
        super()._prepare(first if isinstance(first[0], dict) else None)
        metrics = self._compile_metrics
        if metrics is None or metrics.built:
            return
        with distribute.strategy_scope(self):
            labels = keras.KerasTensor((None,), "int32")
            metrics.build(labels, keras.KerasTensor((None, self.num_classes)))
        for name in ("loss", *self._trackers_by_term):
            if name in metrics.result():
                raise ValueError(
                    f"`metrics` has one named {name!r}, which {type(self).__name__} logs itself: "
                    "give it another name."
                )


def _accuracy(pseudo_labels, truth, mask):
    """Share of the images that count whose pseudo-label is right, and how much they weigh."""
    truth = ops.cast(truth, "int32")
    counts = as_float(mask) * ops.cast(truth >= 0, mask.dtype)
    right = ops.cast(ops.equal(ops.cast(pseudo_labels, "int32"), truth), mask.dtype)
    selected = ops.sum(counts)
    return ops.sum(counts * right) / ops.maximum(selected, 1e-12), selected
