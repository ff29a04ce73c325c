"""The base class of all methods."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ssl import _internals, distribute, export, layers
from keras_ssl import images as pixels
from keras_ssl._types import FloatOrSchedule, PathLike, Tensor
from keras_ssl.numerics import as_float
from keras_ssl.training import compile as compile_checks
from keras_ssl.training import config, random, state
from keras_ssl.training.fit import resumable_fit, sources
from keras_ssl.training.step import is_tracing_train_step, step_for
from keras_ssl.validation import check_choice, check_int, check_seed, is_schedule

PLACES_OF_VIEWS = ("host", "device")


@_internals.without_symbolic_build
class Method(keras.Model):
    """A `keras.Model` that defines its own data format and losses.

    `SelfSupervisedModel`, `SemiSupervisedModel` and `ImageTextModel` define the data; each method
    defines its losses.

    A subclass stores each `__init__` argument under its own name, from which the config is made.
    State lives in non-trainable weights created by `add_state`; `compute_losses` updates them with
    `assign_state` or `update_running_mean`, `on_step_end` by plain `assign`. Projections pass
    through `distribute.all_gather` last, after everything that contains batch normalization and
    before the loss, so that the loss sees the batch of all replicas.

    Args:
        seed: Int.
        **kwargs: `name` and `dtype`, as in `keras.Model`.
    """

    # Names of the terms that `evaluate` logs; None for those of `fit`.
    evaluation_logs: tuple[str, ...] | None = None
    accepts_uint8 = True  # `call` and `predict` scale uint8 images themselves
    microbatches = 1
    views_on: str | None = None
    supports_mid_epoch_resume = True
    # Arguments of `compile` that would have no effect, and why.
    unsupported_compile_args: dict[str, str] = {}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = config.check_arguments_stored(cls.__init__)

    def __init__(self, *, seed: int = 0, **kwargs):
        check_seed(seed)
        super().__init__(**kwargs)
        self.seed = seed
        self._ema_copies: list[str] = []  # names of the attributes that hold EMA copies
        self._trackers_by_term: dict[str, keras.metrics.Mean] = {}
        self._is_evaluating = False
        self._fit_validation_data = None
        # The optimizer's step as a weight, because evaluation on JAX has no access to the
        # optimizer.
        self.step = self.add_weight((), "zeros", dtype="int32", trainable=False, name="step")
        self._trainer_step = step_for(self)
        self.built = True

    # What a method defines.

    @property
    def inference_model(self) -> keras.Model:
        """The network that `call` and `predict` run and `export` writes."""
        raise NotImplementedError

    def compute_losses(self, batch: Any, training: bool) -> dict[str, Any]:
        """Returns a dict of scalars: `"loss"` is minimized, all are logged.

        Args:
            batch: This replica's part of the batch, as `unpack_batch` returns it.
            training: Bool. False in `evaluate`, where no state may change.
        """
        raise NotImplementedError

    def unpack_batch(self, data: Any) -> Any:
        """Returns what `compute_losses` receives, an object with a `size`, from a step's data."""
        raise NotImplementedError

    def on_step_end(self) -> None:
        """Updates state, such as a momentum encoder, after the weights were updated."""

    def freeze_schedule(self):
        """Returns layers that are frozen at first: pairs `(layer, first_trainable_step)`.

        Their gradients are zero until then; an optimizer's weight decay still applies.
        """
        return ()

    def fit_callbacks(self) -> list[keras.callbacks.Callback]:
        """Returns callbacks that `fit` runs before the user's."""
        return []

    # What a method uses.

    def forward(self, network: keras.Model, images: Tensor, training: bool) -> Tensor:
        """Returns the outputs `(B, D)` of a network, float32.

        Args:
            network: Model from float images to `(B, D)`.
            images: `(B, H, W, C)`, uint8 0..255 or float 0..1.
            training: Bool.
        """
        images = pixels.to_unit_range(images)
        if training or distribute.num_replicas() == 1:
            return as_float(self.run_network(network, images, training))
        # The last batch may be empty on some replicas, for which TensorFlow's convolution on CPUs
        # returns a wrong shape. Append a dummy row and drop it again. Concatenate, because
        # TensorFlow merges a pad into the convolution and fails again.
        row = ops.zeros((1, *ops.shape(images)[1:]), images.dtype)
        rows = network(ops.concatenate([images, row]), training=False)
        return as_float(rows)[:-1]

    def run_network(self, network: keras.Model, inputs: Tensor, training: bool) -> Tensor:
        """Returns the outputs of a network; a training step runs it in microbatches."""
        if training and self.microbatches > 1 and is_tracing_train_step():
            return self._trainer_step.forward_in_microbatches(network, inputs)
        return network(inputs, training=training)

    def current_value(self, value: FloatOrSchedule) -> float | Tensor:
        """Returns a number unchanged, and a Keras schedule at the current optimizer step."""
        if is_schedule(value):
            return ops.cast(value(self.step), keras.config.floatx())
        return value

    def random_uniform(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Returns random numbers in 0..1 that depend on the seed, the optimizer step and `name`.

        They are the same on all replicas, devices and backends, differ from step to step, and a
        resumed run draws what the uninterrupted run would have drawn.

        Args:
            name: String, different for each draw of a step.
            shape: Tuple of ints.

        Returns:
            Tensor in `keras.config.floatx()`.
        """
        return random.uniform(self.seed, self.step, name, shape)

    def random_normal(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """As `random_uniform`, from the standard normal distribution."""
        return random.normal(self.seed, self.step, name, shape)

    def add_state(
        self,
        name: str,
        shape: tuple[int, ...],
        initial: float | Tensor = 0.0,
        dtype: str | None = None,
    ) -> keras.Variable:
        """Adds a weight that no optimizer updates; it is saved with the model.

        Args:
            name: String.
            shape: Tuple of ints.
            initial: Number, or array of that shape.
            dtype: String; None for Keras's `floatx`, float32 under every precision policy.

        Returns:
            A `keras.Variable`.
        """
        dtype = dtype or keras.config.floatx()
        weight = self.add_weight(shape, "zeros", dtype=dtype, trainable=False, name=name)
        weight.assign(ops.broadcast_to(ops.cast(initial, weight.dtype), shape))
        return weight

    def assign_state(self, weight: keras.Variable, value: Tensor) -> None:
        """Assigns a new value to state inside `compute_losses`, when training.

        Under gradient accumulation only the last batch of an optimizer step does so.
        """
        steps = self.gradient_accumulation_steps
        if steps:
            is_last = ops.equal((_internals.micro_iterations(self.optimizer) + 1) % steps, 0)
            value = ops.where(is_last, value, ops.convert_to_tensor(weight))
        weight.assign(value)

    def update_running_mean(
        self, weight: keras.Variable, value: Tensor, momentum: float | Tensor
    ) -> Tensor:
        """Updates a running mean inside `compute_losses`, when training.

        Args:
            weight: What `add_state` returned.
            value: Tensor to average.
            momentum: Float in 0..1, the weight of the old mean.

        Returns:
            The new mean.
        """
        mean = momentum * weight + (1.0 - momentum) * ops.cast(value, weight.dtype)
        self.assign_state(weight, mean)
        return mean

    def add_ema_copies(self, *names: str) -> None:
        """Adds EMA copies of the encoder, the projector and other attributes.

        Args:
            *names: Further attributes that hold layers. The copy of `self.x` is `self.momentum_x`.
        """
        for name in ("encoder", "projector", *names):
            self.add_ema_copy(f"momentum_{name}", getattr(self, name))

    def add_ema_copy(self, name: str, layer: keras.Layer) -> None:
        """Adds a frozen copy of a layer as the attribute `name`."""
        setattr(self, name, layers.make_ema_copy(layer))
        self._ema_copies.append(name)

    def update_ema_copies(self, *names: str) -> None:
        """Updates the copies of `add_ema_copies` towards their sources, by `self.momentum`."""
        momentum = self.current_value(self.momentum)
        for name in ("encoder", "projector", *names):
            layers.ema_update(getattr(self, f"momentum_{name}"), getattr(self, name), momentum)

    @property
    def gradient_accumulation_steps(self) -> int | None:
        """Batches per optimizer step; None without gradient accumulation."""
        optimizer: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        return optimizer.gradient_accumulation_steps

    def tracker(self, name: str):
        """Returns the mean of a term over an epoch, a `keras.metrics.Mean`, or None."""
        if name == "loss":
            return _internals.loss_tracker(self)
        return self._trackers_by_term.get(name)

    # What a user calls.

    def compile(
        self,
        optimizer="sgd",
        loss=None,
        metrics=None,
        jit_compile="auto",
        microbatches: int = 1,
        views_on: str | None = None,
        **kwargs,
    ) -> None:
        """Configures training, as in `keras.Model.compile`; the loss is the method's own.

        Args:
            optimizer: As in Keras, as are the other arguments that are not listed here.
            loss: None.
            metrics: As in Keras, for methods with labels.
            jit_compile: As in Keras.
            microbatches: Int >= 1. Number of microbatches in which a batch runs through the
                networks in training; it must divide the batch of each device. Activations are
                stored for one microbatch at a time: features are computed first, then recomputed
                per microbatch for the gradient, which takes about a third more time (GradCache, Gao
                et al. 2021, https://arxiv.org/abs/2101.06983). The loss is that of the full batch.
                Batch normalization in a network sees a microbatch, in the heads the full batch.
            views_on: Where the views of plain images are made. `"host"`: in the data pipeline, by
                TensorFlow. `"device"`: in the training step, from uint8 images, which are a
                fraction of the bytes of float32 views; for GPUs with few CPU cores. Both draw the
                same random numbers, and pixels differ by at most 2e-5. None for `"host"` on
                TensorFlow, and on JAX `"device"` if all views support it.

        Raises:
            TypeError: If `microbatches` is not an int.
            ValueError: If `views_on` is unknown; if an argument has no effect on this method; under
                a `tf.distribute` strategy, if `jit_compile=True`, `views_on="device"`, gradients
                are accumulated or the optimizer was created outside the strategy's scope.
        """
        check_int(1, microbatches=microbatches)
        if views_on is not None:
            check_choice(PLACES_OF_VIEWS, views_on=views_on)
        arguments = {"loss": loss, "metrics": metrics, **kwargs}
        arguments["microbatches"] = None if microbatches == 1 else microbatches
        arguments["views_on"] = views_on
        compile_checks.check_compile_arguments(self, arguments)
        self.microbatches, self.views_on = microbatches, views_on
        with distribute.strategy_scope(self):
            optimizer = keras.optimizers.get(optimizer)
            compile_checks.check_strategy_support(self, optimizer, jit_compile, views_on)
            super().compile(optimizer, metrics=metrics, jit_compile=jit_compile, **kwargs)
        if distribute.has_strategy(self):
            self.jit_compile = False
        self.step.assign(int(ops.convert_to_numpy(optimizer.iterations)))

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Returns the outputs of the inference model.

        Args:
            images: `(B, H, W, C)`, uint8 0..255 or float 0..1.
            training: Bool, as in Keras.

        Returns:
            `(B, D)` float32: features of an encoder, logits of a classifier.
        """
        pixels.check_eager_range(images)
        return self.forward(self.inference_model, images, training)

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
        initial_step: int = 0,
    ) -> keras.callbacks.History:
        """Trains on images; arguments as in `keras.Model.fit`.

        Args:
            x: Training data.

                Self-supervised methods take a `tf.data.Dataset` of image batches `(B, H, W, C)`
                (uint8 0..255 or float 0..1), of `(images, labels)`, of dicts with `"image"`, or of
                ready views `((view_1, ..., view_V),)`, optionally with labels; a NumPy array of
                images; a tuple of arrays, one per view; or a `keras.utils.PyDataset` of ready
                views.

                Semi-supervised methods take the result of `keras_ssl.data.semi_supervised`, or
                another `tf.data.Dataset` or `keras.utils.PyDataset` of such elements.
            y: Labels of a NumPy `x`, or None. Only methods that say so read labels.
            validation_data: For self-supervised methods as `x`, or `(x, y)` arrays; for
                semi-supervised methods batches of `(images, labels)` or a pair of arrays. Its logs
                have the prefix `val_`.
            initial_epoch: Epoch at which to resume. It sees what that epoch of an uninterrupted
                run would see.
            initial_step: Step of that epoch at which to resume: earlier batches are skipped. The
                logs of that epoch cover its remaining steps, unless `callbacks.Checkpoint`, which
                saves states within epochs, is among the callbacks.

        The last batch is dropped if it is not full.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If the first batch is not as described above, before training starts.
            FloatingPointError: If the loss or a gradient is not finite. Weights are those from
                before that step.
        """
        self._check_compiled("fit")
        if validation_split and validation_data is None:
            (x, y), validation_data = sources.split_validation(x, y, validation_split)
        source = sources.open_source(x, y)
        plan = sources.EpochPlan(batch_size, shuffle, steps_per_epoch)
        first_full_epoch = initial_epoch + bool(initial_step)
        train = rest = self._prepare_training(source, plan.starting_at(first_full_epoch))
        steps = steps_per_epoch or sources.num_batches(train.data)
        start = (initial_epoch, initial_step)
        resumable_fit.validate_resume_point(self, start, steps, plan, source)
        if initial_step:
            rest = self._prepare_training(source, plan.starting_at(*start))
        validation = None
        if validation_data is not None:
            data = sources.open_source(*sources.unpack_validation_data(validation_data))
            validation = self._prepare_evaluation(data, validation_batch_size or batch_size)
            self._fit_validation_data = distribute.shard_by_batch(self, validation.data)
        self._build_training(train.first)
        self._on_run_begin(
            train, None if steps is None else (epochs - initial_epoch) * steps - initial_step
        )
        return resumable_fit.fit_from_step(
            self,
            super().fit,
            (rest, train),
            keras.tree.flatten([self.fit_callbacks(), callbacks or []]),
            start=start,
            epochs=epochs,
            steps=steps,
            verbose=verbose,
            steps_per_epoch=steps_per_epoch,
            validation_data=self._fit_validation_data if validation else None,
            validation_steps=validation_steps,
            validation_freq=validation_freq,
        )

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", steps=None, **kwargs):
        """Returns the loss over `x`, and metrics, without an update; no image is dropped.

        Args:
            x: As `validation_data` in `fit`.
        """
        self._check_compiled("evaluate")
        if x is None or x is not self._fit_validation_data:
            data = self._prepare_evaluation(sources.open_source(x, y), batch_size)
            self._build_training(data.first)
            x = distribute.shard_by_batch(self, data.data)
        self._is_evaluating = True
        try:
            with distribute.replicate_batches():
                return super().evaluate(x, verbose=verbose, steps=steps, **kwargs)
        finally:
            self._is_evaluating = False

    def predict(self, x, batch_size=None, **kwargs) -> np.ndarray:
        """Returns the outputs of `call` for all images of `x`, `(N, D)` float32, in order.

        With several workers, each returns the outputs of all images.

        Args:
            x: Images as in `fit` (not views): an array, or a dataset of batches.
            batch_size: Int, batch size for an array; 32 if None.
        """
        data = sources.open_source(x).prepare_prediction(self, batch_size)
        if distribute.has_other_workers(self):  # Keras would share the images among the workers
            rows = [self(images) for images in sources.iter_image_batches(data)]
            return np.concatenate([ops.convert_to_numpy(x) for x in rows])
        with distribute.replicate_batches():
            return super().predict(data, **kwargs)

    def export(self, filepath: PathLike, format: str = "tf_saved_model", **kwargs) -> None:
        """Exports the inference model by Keras's `export`: uint8 images in, float32 out."""
        export.write(self.inference_model, filepath, format=format, **kwargs)

    # What Keras calls.

    def train_step(self, *args):
        return self._trainer_step.train(*args)

    def test_step(self, *args):
        return self._trainer_step.test(*args)

    def get_metrics_result(self):
        """Returns the results of all metrics, of training or of evaluation."""
        results = super().get_metrics_result()
        if self.evaluation_logs is None:
            return results
        hidden = set(self.evaluation_logs)
        if self._is_evaluating:
            hidden = set(self._trackers_by_term) - hidden
        return {name: value for name, value in results.items() if name not in hidden}

    def get_config(self):
        return config.config_of(self)

    @classmethod
    def from_config(cls, config_: dict[str, Any], custom_objects=None):
        return config.model_from_config(cls, config_, custom_objects)

    def get_compile_config(self):
        compile_config = super().get_compile_config()
        if compile_config:
            compile_config["microbatches"] = self.microbatches
            compile_config["views_on"] = self.views_on
        return compile_config

    def compile_from_config(self, compile_config: dict[str, Any]):
        with distribute.strategy_scope(self):
            self.compile(**keras.saving.deserialize_keras_object(compile_config))
            self.optimizer.build(self.trainable_variables)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        state.save_random_states(self, store)

    def load_own_variables(self, store):
        super().load_own_variables(state.load_random_states(self, store))

    @property
    def trainable(self):
        return super().trainable

    @trainable.setter
    def trainable(self, value):
        keras.Model.trainable.fset(self, value)
        state.freeze_copies(self, vars(self).get("_ema_copies", ()))

    # What the families define.

    def _prepare_training(self, source, plan):
        """Checks a source and returns `sources.PreparedData` of full batches."""
        raise NotImplementedError

    def _prepare_evaluation(self, source, batch_size):
        """As `_prepare_training`, without dropping or shuffling."""
        raise NotImplementedError

    def _on_run_begin(self, train, steps):
        """Called before the first step, with the data and the steps to come (None: unknown)."""

    def _loss_names(self, first):
        return self._trainer_step.loss_names(first)

    def _build_training(self, first):
        """Builds the optimizer and the metrics, and finds errors in the losses early."""
        with distribute.strategy_scope(self):
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
            if first is None or self._trackers_by_term:
                return
            for name in self._loss_names(first):
                if name != "loss":
                    self._trackers_by_term[name] = keras.metrics.Mean(name=name)

    def _check_compiled(self, method_name):
        if not self.compiled:
            raise ValueError(f"Call `compile()` before `{method_name}()`.")
