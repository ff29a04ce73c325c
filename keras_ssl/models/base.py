"""What every self-supervised method inherits."""

import keras
from keras import ops

from keras_ssl import distribute, export
from keras_ssl import images as pixels
from keras_ssl.models import inputs
from keras_ssl.models.checks import check_encoder, check_seed, check_views, feature_width
from keras_ssl.models.config import ConfigMixin
from keras_ssl.models.forward import ForwardMixin
from keras_ssl.models.state import StateMixin
from keras_ssl.models.train_step import StepMixin


class SelfSupervisedModel(ConfigMixin, ForwardMixin, StateMixin, StepMixin, keras.Model):
    """Learns an encoder from images without labels; the base class of the methods.

    A method states its losses, and where it has a momentum encoder, a queue or a centre, how they
    move after a step:

        @keras.saving.register_keras_serializable("mine")
        class Mine(keras_ssl.models.SelfSupervisedModel):
            def __init__(self, encoder, *, projector=(128,), **kwargs):
                super().__init__(encoder, **kwargs)
                self.projector = heads.projection(projector, self.feature_width)

            def compute_losses(self, batch, training):
                z1, z2 = (distribute.gather(self.project(x, training)) for x in batch.views)
                return {"loss": losses.nt_xent(z1, z2)}

    Each `__init__` argument is kept under its own name: the config comes from there. State is
    kept in non-trainable weights (`add_state`), which the train step carries on every backend and
    `save` writes; `compute_losses` moves it by `move`, `after_step` by assigning.

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        views: Sequence of V >= 2 views from `keras_ssl.views`, one output each; or None for the
            method's own, at the size of the images.
        seed: Int; views and the order of arrays in `fit` are a function of it, the epoch and the
            position.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        ValueError: If the encoder is not built, cannot be saved or its output is not `(B, D)`.
        TypeError: If an argument is of the wrong kind.
    """

    needs_labels = False  # whether batches must carry labels
    multi_crop = False  # whether views after the second may be smaller

    def __init__(self, encoder, *, views=None, seed=0, **kwargs):
        check_encoder(encoder)
        check_views(views)
        check_seed(seed)
        super().__init__(**kwargs)
        self.encoder = encoder
        self.views = None if views is None else tuple(views)
        self.seed = seed
        self.feature_width = feature_width(encoder)
        self._trackers_by_term = {}
        self._told_of_resizing = False
        # The optimizer's step, as a weight: on JAX, evaluation does not see the optimizer.
        self.step = self.add_weight((), "zeros", dtype="int32", trainable=False, name="step")
        self.built = True

    def default_views(self, size):
        """Returns the paper's views of images of `size` `(height, width)`: a tuple of callables."""
        raise NotImplementedError(f"{type(self).__name__} has no views of its own: pass `views=`.")

    def compute_losses(self, batch, training):
        """States the method. Returns a dict of scalars: `"loss"` is minimised, the rest logged.

        Args:
            batch: `keras_ssl.models.Batch` of this replica's views and labels.
            training: Bool, False in `evaluate`, where no state may move.
        """
        raise NotImplementedError

    def after_step(self):
        """Moves the method's own state (a momentum encoder, say) once the weights have moved."""

    def frozen_layers(self):
        """Layers held still at the start: pairs of a layer and the step from which it moves.

        No gradient reaches them before; an optimizer's weight decay does.
        """
        return ()

    def call(self, images, training=False):
        """Returns the encoder's features.

        Args:
            images: `(B, H, W, C)`, uint8 0..255 or float 0..1.
            training: Bool, as in Keras.

        Returns:
            `(B, D)` float32.
        """
        pixels.check_eager_range(images)
        return self.features(images, training)

    def batch_norm_layers(self):
        """All batch normalisation layers, of encoder and heads."""
        norm = keras.layers.BatchNormalization
        return [layer for layer in self._flatten_layers() if isinstance(layer, norm)]

    def compile(self, optimizer="sgd", loss=None, metrics=None, jit_compile="auto", **kwargs):
        """Configures training, as `keras.Model.compile`; the loss is the method's own.

        Raises:
            ValueError: If a loss or metrics are given; under a `tf.distribute` strategy, if
                `jit_compile=True` or the optimizer was made outside the strategy's scope.
        """
        self._refuse(loss=loss, metrics=metrics, **kwargs)
        replicas = distribute.under_strategy(self)
        if replicas and jit_compile is True:
            raise ValueError(
                "`jit_compile=True` does not work under a tf.distribute strategy: XLA cannot "
                "compile the exchange between replicas. Leave it at 'auto' or pass False."
            )
        with distribute.scope_of(self):
            optimizer = keras.optimizers.get(optimizer)
            distribute.check_same_strategy(self, optimizer)
            super().compile(optimizer, jit_compile=jit_compile, **kwargs)
        if replicas:
            self.jit_compile = False
        self.step.assign(int(ops.convert_to_numpy(optimizer.iterations)))

    def compile_from_config(self, config):
        """Compiles as the saved model was compiled, optimizer state included."""
        with distribute.scope_of(self):
            self.compile(**keras.saving.deserialize_keras_object(config))
            self.optimizer.build(self.trainable_variables)

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
    ):
        """Trains on images; arguments as in `keras.Model.fit`.

        Args:
            x: `tf.data.Dataset` of image batches `(B, H, W, C)` (uint8 0..255 or float 0..1), of
                `(images, labels)`, of dicts with `"image"`, or of ready views
                `((view_1, ..., view_V),)`, labels optional; a NumPy array of images; a tuple of
                arrays, one for each view; or a `keras.utils.PyDataset` of ready views.
            y: Labels of a NumPy `x`, or None. Only methods that say so read labels.
            validation_data: As `x`, or `(x, y)` arrays; its loss is logged as `val_loss`.
            initial_epoch: Epoch at which to go on; it sees what that epoch of an uninterrupted
                run would see.

        The last batch is dropped where it is not full.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If the first batch is not what is described above, before training starts.
        """
        self._assert_compile_called("fit")
        validation = None
        if validation_split and validation_data is None:
            (x, y), validation_data = inputs.split(x, y, validation_split)
        train = inputs.training(
            self,
            x,
            y,
            batch_size=batch_size,
            shuffle=shuffle,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
        )
        if validation_data is not None:
            validation = inputs.evaluation(
                self, *inputs.pair(validation_data), batch_size=validation_batch_size or batch_size
            )
        self._prepare(train.first)
        return super().fit(
            train.data,
            epochs=epochs,
            verbose=verbose,
            callbacks=inputs.with_epochs(callbacks, train.data),
            validation_data=validation and validation.data,
            shuffle=False,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_freq=validation_freq,
        )

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", steps=None, **kwargs):
        """Returns the loss over `x` without an update; `x` as in `fit`, and no image is dropped."""
        if kwargs.get("_use_cached_eval_dataset"):  # `fit` calls with the data it prepared
            prepared = x
        else:
            data = inputs.evaluation(self, x, y, batch_size=batch_size)
            self._prepare(data.first)
            prepared = data.data
        with distribute.whole_batches():
            return super().evaluate(prepared, verbose=verbose, steps=steps, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """Returns the features `(N, D)` of all images of `x`, float32, in order.

        Args:
            x: Images as in `fit` (not views): an array, or a dataset of batches.
            batch_size: Int, images at a time of an array; 32 where None.
        """
        data = inputs.prediction(self, x, batch_size=batch_size)
        with distribute.whole_batches():
            return super().predict(data, **kwargs)

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Exports the encoder by Keras's own `export`: uint8 images in, float32 features out."""
        export.write(self.encoder, filepath, format=format, **kwargs)

    def export_encoder(self, path):
        """Writes a TensorFlow SavedModel of the encoder to the folder `path`.

            encoder = tf.saved_model.load(path)
            features = encoder.serve(images)  # uint8 0..255 to float32 (B, D)

        Neither keras_ssl nor Keras need be installed there.
        """
        self.export(path, verbose=False)

    def _refuse(self, **arguments):
        """Raises for an argument of `keras.Model.compile` that would silently do nothing."""
        advice = {
            "loss": "it has a loss of its own",
            "loss_weights": "weigh the terms by the method's own arguments",
            "metrics": "there are no targets to compare with; see keras_ssl.callbacks.KNNProbe",
            "weighted_metrics": "there are no targets to compare with",
        }
        for name, reason in advice.items():
            if arguments.get(name) is not None:
                raise ValueError(
                    f"{type(self).__name__}.compile(optimizer) takes no `{name}`: {reason}. "
                    f"Received {arguments[name]!r}."
                )

    def _prepare(self, first):
        """Builds what a step needs, and finds errors in it before training starts."""
        with distribute.scope_of(self):
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
            if first is None or self._trackers_by_term:
                return
            for name in self._loss_names(first):
                if name != "loss":
                    self._trackers_by_term[name] = keras.metrics.Mean(name=name)
