"""What every method inherits, whether it learns without labels or with few."""

import keras
import numpy as np
from keras import ops

from keras_ssl import distribute, export
from keras_ssl import images as pixels
from keras_ssl.training.compiling import CompileMixin
from keras_ssl.training.config import ConfigMixin
from keras_ssl.training.fit import epoch_stream, resumable_fit, sources
from keras_ssl.training.state import StateMixin
from keras_ssl.training.step import StepMixin, is_tracing_train_step
from keras_ssl.validation import check_seed


class Method(ConfigMixin, StateMixin, CompileMixin, StepMixin, keras.Model):
    """A `keras.Model` whose data and losses are its own; the base of two classes.

    `SelfSupervisedModel` learns an encoder from views, `SemiSupervisedModel` a classifier from few
    labels and many images: they say what data is, each method under them what its losses are.

    Each `__init__` argument is kept under its own name: the config comes from there. State is
    kept in non-trainable weights (`add_state`), which the train step carries on every backend and
    `save` writes; `compute_losses` moves it by `move`, `on_step_end` by assigning.

    Args:
        seed: Int.
        **kwargs: `name` and `dtype`, as in `keras.Model`.
    """

    supports_mid_epoch_resume = True  # whether `fit` can begin in the middle of one
    unpack_batch = None  # function from what a step receives to a batch, which has `rows`

    def __init__(self, *, seed=0, **kwargs):
        check_seed(seed)
        super().__init__(**kwargs)
        self.seed = seed
        self._trackers_by_term = {}
        # The optimizer's step, as a weight: on JAX, evaluation does not see the optimizer.
        self.step = self.add_weight((), "zeros", dtype="int32", trainable=False, name="step")
        self.built = True

    @property
    def inference_model(self):
        """The network that `call` and `predict` run and `export` writes."""
        raise NotImplementedError

    def compute_losses(self, batch, training):
        """States the method. Returns a dict of scalars: `"loss"` is minimized, the rest logged.

        Args:
            batch: This replica's part of the batch, as `unpack_batch` returns it.
            training: Bool, False in `evaluate`, where no state may move.
        """
        raise NotImplementedError

    def on_step_end(self):
        """Moves the method's own state (a momentum encoder, say) once the weights have moved."""

    def freeze_schedule(self):
        """Layers held still at the start: pairs of a layer and the step from which it moves.

        No gradient reaches them before; an optimizer's weight decay does.
        """
        return ()

    def call(self, images, training=False):
        """Returns what the network makes of images.

        Args:
            images: `(B, H, W, C)`, uint8 0..255 or float 0..1.
            training: Bool, as in Keras.

        Returns:
            `(B, D)` float32: features of an encoder, logits of a classifier.
        """
        pixels.check_eager_range(images)
        return self.forward(self.inference_model, images, training)

    def forward(self, network, images, training):
        """What a network makes of images, `(B, D)` float32.

        Args:
            network: Model from float images to `(B, D)`.
            images: `(B, H, W, C)`, uint8 0..255 or float 0..1.
            training: Bool.
        """
        images = pixels.to_unit_range(images)
        if training or distribute.num_replicas() == 1:
            return pixels.as_float(self._apply_network(network, images, training))
        # A last batch may leave a replica no image, of which TensorFlow's convolution returns a
        # wrong shape on CPUs. One row more, cut off again, changes no other: nothing is trained.
        # Joined, not padded: TensorFlow merges a padding into the convolution, and fails again.
        row = ops.zeros((1, *ops.shape(images)[1:]), images.dtype)
        one_more = ops.concatenate([images, row])
        return pixels.as_float(network(one_more, training=False))[:-1]

    def _apply_network(self, network, inputs, training):
        """What a network returns of a batch, in training piece by piece."""
        if training and self.microbatches > 1 and is_tracing_train_step():
            return self._in_microbatches(network, inputs)
        return network(inputs, training=training)

    def batch_norm_layers(self):
        """All batch normalization layers, of networks, heads and copies."""
        norm = keras.layers.BatchNormalization
        return [layer for layer in self._flatten_layers() if isinstance(layer, norm)]

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
        initial_step=0,
    ):
        """Trains on images; arguments as in `keras.Model.fit`.

        Args:
            x: What the method learns from.

                Self-supervised methods take a `tf.data.Dataset` of image batches `(B, H, W, C)`
                (uint8 0..255 or float 0..1), of `(images, labels)`, of dicts with `"image"`, or of
                ready views `((view_1, ..., view_V),)`, labels optional; a NumPy array of images; a
                tuple of arrays, one for each view; or a `keras.utils.PyDataset` of ready views.

                Semi-supervised methods take what `keras_ssl.data.semi_supervised` returns, or
                another `tf.data.Dataset` or `keras.utils.PyDataset` of such elements.
            y: Labels of a NumPy `x`, or None. Only methods that say so read labels.
            validation_data: Of self-supervised methods as `x`, or `(x, y)` arrays; of
                semi-supervised ones batches `(images, labels)` or a pair of arrays. What `evaluate`
                tells of it is logged with `val_` before its name.
            initial_epoch: Epoch at which to go on; it sees what that epoch of an uninterrupted
                run would see.
            initial_step: Step of that epoch at which to go on: its first batches are left out. What
                is logged of that epoch is of the rest of it, unless `callbacks.Checkpoint`, which
                saves states within epochs, is among the callbacks.

        The last batch is dropped where it is not full. Data that knows its number of batches is
        read in one stream: batches of an epoch are begun while callbacks of the last one run.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If the first batch is not what is described above, before training starts.
        """
        self._assert_compile_called("fit")
        validation = None
        if validation_split and validation_data is None:
            (x, y), validation_data = sources.split_validation(x, y, validation_split)
        options = {"batch_size": batch_size, "shuffle": shuffle, "steps_per_epoch": steps_per_epoch}
        whole = initial_epoch + bool(initial_step)  # the first epoch that is passed whole
        train = self._training_data(x, y, start=(whole, 0), passes=epochs - whole, **options)
        steps = steps_per_epoch or train.steps or epoch_stream.num_batches(train.data)
        is_counted, is_dataset = steps_per_epoch is not None, sources.is_dataset(train.data)
        resumable_fit.validate_resume_point(
            self, initial_epoch, initial_step, steps, is_counted, is_dataset
        )
        rest = train
        if initial_step:
            start = (initial_epoch, initial_step)
            rest = self._training_data(x, y, start=start, passes=1, **options)
        if validation_data is not None:
            validation = self._evaluation_data(
                *sources.unpack_validation_data(validation_data),
                batch_size=validation_batch_size or batch_size,
            )
        self._prepare(train.first)
        left = None if steps is None else (epochs - initial_epoch) * steps - initial_step
        self._begin(train, left)
        return resumable_fit.fit_from_step(
            self,
            super().fit,
            (rest, train),
            callbacks,
            start=(initial_epoch, initial_step),
            epochs=epochs,
            steps=steps,
            verbose=verbose,
            steps_per_epoch=steps_per_epoch,
            validation_data=validation and distribute.shard_by_batch(self, validation.data),
            validation_steps=validation_steps,
            validation_freq=validation_freq,
        )

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", steps=None, **kwargs):
        """Returns the loss over `x`, and metrics, without an update; no image is dropped.

        Args:
            x: As `validation_data` in `fit`.
        """
        self._assert_compile_called("evaluate")
        if kwargs.get("_use_cached_eval_dataset"):  # `fit` calls with the data it prepared
            prepared = x
        else:
            data = self._evaluation_data(x, y, batch_size=batch_size)
            self._prepare(data.first)
            prepared = distribute.shard_by_batch(self, data.data)
        with distribute.replicate_batches():
            return super().evaluate(prepared, verbose=verbose, steps=steps, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """Returns what `call` returns for all images of `x`, `(N, D)` float32, in order.

        Of several workers each returns those of all.

        Args:
            x: Images as in `fit` (not views): an array, or a dataset of batches.
            batch_size: Int, images at a time of an array; 32 where None.
        """
        data = sources.prepare_prediction(self, x, batch_size=batch_size)
        if distribute.has_other_workers(self):  # Keras would share the images out among them
            found = [self(images) for images in sources.iter_image_batches(data)]
            return np.concatenate([ops.convert_to_numpy(each) for each in found])
        with distribute.replicate_batches():
            return super().predict(data, **kwargs)

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Exports the network by Keras's own `export`: uint8 images in, float32 out."""
        export.write(self.inference_model, filepath, format=format, **kwargs)

    def _training_data(self, x, y, **kwargs):
        """Checks `x` and returns `inputs.Prepared`: full batches, and a first one to trace with."""
        raise NotImplementedError

    def _evaluation_data(self, x, y, *, batch_size):
        """As `_training_data`, without dropping or shuffling."""
        raise NotImplementedError

    def _begin(self, train, steps):
        """Notes what is known of a run before its first step: its data, steps to come or None."""

    def _prepare(self, first):
        """Builds what a step needs, and finds errors in it before training starts."""
        with distribute.strategy_scope(self):
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
            if first is None or self._trackers_by_term:
                return
            for name in self._loss_names(first):
                if name != "loss":
                    self._trackers_by_term[name] = keras.metrics.Mean(name=name)
