"""Resuming within an epoch: two Keras `fit` calls presented to callbacks as one."""

import keras

from keras_ssl import distribute
from keras_ssl.data import epoch_counter
from keras_ssl.training.step.nan_guard import NON_FINITE, RaiseOnNonFiniteLoss, non_finite_error
from keras_ssl.validation import check_int


class MergedCallbackList(keras.callbacks.CallbackList):
    """Callbacks that see several Keras `fit` calls as one.

    Args:
        callbacks: List of callbacks, or None.
        model: The model.
        first_step: Int, the step of its epoch at which the first call begins.
        verbose: As in `fit`.
        epochs: Int, the last epoch of the last call.
        steps: Int, steps of a full epoch; None if unknown.
    """

    def __init__(self, callbacks, model, first_step, verbose, epochs, steps):
        super().__init__(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )
        self.first_step, self.is_last_call, self._has_begun = first_step, False, False

    def on_train_begin(self, logs=None):
        if not self._has_begun:
            self._has_begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs=None):
        if self.is_last_call or self.model.stop_training:
            super().on_train_end(logs)

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(self.first_step + batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(self.first_step + batch, logs)


def fit_from_step(model, keras_fit, parts, callbacks, *, start, epochs, steps, verbose, **options):
    """Calls Keras's `fit`; to start within an epoch, calls it for the rest of that epoch first.

    Args:
        model: The method.
        keras_fit: `keras.Model.fit`, bound to the model.
        parts: Pair of `sources.PreparedData`: the rest of the first epoch, and full epochs.
        callbacks: List of callbacks.
        start: Pair of the epoch and its step to start with.
        epochs: As in `fit`.
        steps: Int, steps of an epoch; None if unknown.
        verbose: As in `fit`.
        **options: Further arguments of Keras's `fit`.

    Returns:
        The history.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    rest, full = parts
    epoch, step = start
    epoch_setter = EpochSetter()
    user_callbacks = callbacks
    callbacks = [epoch_setter, RaiseOnNonFiniteLoss(), *user_callbacks]
    steps_per_epoch = options.pop("steps_per_epoch")

    def fit(part, first_epoch, last_epoch, steps_per_epoch):
        epoch_setter.use(part)
        return keras_fit(
            distribute.shard_by_batch(model, part.data),
            epochs=last_epoch,
            verbose=verbose,
            callbacks=callbacks,
            shuffle=False,
            initial_epoch=first_epoch,
            steps_per_epoch=steps_per_epoch,
            **options,
        )

    try:
        if not step:
            return fit(full, epoch, epochs, steps_per_epoch)
        callbacks = MergedCallbackList(callbacks, model, step, verbose, epochs, steps)
        callbacks.is_last_call = epoch + 1 >= epochs
        history = fit(rest, epoch, epoch + 1, steps_per_epoch and steps_per_epoch - step)
        if callbacks.is_last_call or model.stop_training:
            return history
        callbacks.first_step, callbacks.is_last_call = 0, True
        return fit(full, epoch + 1, epochs, steps_per_epoch)
    except Exception as error:
        if NON_FINITE in str(error):
            raise non_finite_error(model) from None
        raise
    finally:
        epoch_setter.use(None)
        for callback in user_callbacks:
            # Keras does not call `on_train_end` after an exception.
            if hasattr(callback, "on_fit_exit"):
                callback.on_fit_exit()


class EpochSetter(keras.callbacks.Callback):
    """Sets the epoch of the data at the beginning of each epoch."""

    def __init__(self):
        super().__init__()
        self.data, self.counters, self.start_epoch = None, [], None

    def use(self, prepared):
        """Switches to the data of a fit, `sources.PreparedData`; None to release it."""
        for counter in self.counters:
            counter.auto_advance(None)
        self.data, self.counters, self.start_epoch = None, [], None
        if prepared is None:
            return
        if isinstance(prepared.data, keras.utils.PyDataset):
            self.data = prepared.data
            return
        self.counters = epoch_counter.find_counters(prepared.data)
        self.start_epoch = prepared.start_epoch
        for counter in self.counters:
            counter.auto_advance(self.start_epoch)

    def on_epoch_begin(self, epoch, logs=None):
        if hasattr(self.data, "set_epoch"):
            self.data.set_epoch(epoch)
        if self.start_epoch is None:  # else each iteration is the next epoch
            for counter in self.counters:
                counter.value = epoch


def validate_resume_point(model, start, steps, plan, source):
    """Raises unless a run can start there.

    Args:
        model: The method.
        start: Pair of `initial_epoch` and `initial_step`, as `fit` received them.
        steps: Int, steps of an epoch; None if unknown.
        plan: `sources.EpochPlan`.
        source: `sources.Source` of the training data.
    """
    initial_epoch, initial_step = start
    check_int(0, initial_epoch=initial_epoch, initial_step=initial_step)
    if not initial_step:
        return
    if plan.steps_per_epoch is not None and not source.has_known_position:
        raise ValueError(
            f"`initial_step={initial_step}` and `steps_per_epoch` cannot be combined for arrays of "
            "views or a PyDataset, whose position is unknown then. Pass a tf.data.Dataset, or drop "
            "`steps_per_epoch`."
        )
    if not model.supports_mid_epoch_resume:
        raise ValueError(
            f"`initial_step={initial_step}` is not supported by {type(model).__name__}, which can "
            "resume at the beginning of an epoch only. Pass initial_step=0."
        )
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if getattr(optimizer, "use_ema", False):
        raise ValueError(
            "`initial_step` cannot be combined with an optimizer's `use_ema`, which overwrites "
            "weights whenever a Keras fit ends. Resume at the beginning of an epoch."
        )
    if steps is not None and initial_step >= steps:
        raise ValueError(
            f"`initial_step` must be below the {steps} steps of an epoch of this data. Received "
            f"{initial_step}."
        )
