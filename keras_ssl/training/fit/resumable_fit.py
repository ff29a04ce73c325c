"""One `fit` that begins within an epoch: two of Keras's own, that are one to callbacks."""

import keras

from keras_ssl import distribute
from keras_ssl.training.fit import sources
from keras_ssl.training.step.nan_guard import NON_FINITE, RaiseOnNonFiniteLoss, non_finite_error


class MergedCallbackList(keras.callbacks.CallbackList):
    """Callbacks of several of Keras's `fit`s that are one to the user.

    Args:
        callbacks: List of callbacks, or None.
        model: The model.
        first: Int, the step of its epoch at which the first of the fits begins.
        verbose: As in `fit`.
        epochs: Int, at which all of it ends.
        steps: Int, of a whole epoch; None where that is not known.
    """

    def __init__(self, callbacks, model, first, verbose, epochs, steps):
        super().__init__(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )
        self.first, self.is_last, self._has_begun = first, False, False

    def on_train_begin(self, logs=None):
        """Of the first fit alone."""
        if not self._has_begun:
            self._has_begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs=None):
        """Of the last fit alone."""
        if self.is_last or self.model.stop_training:
            super().on_train_end(logs)

    def on_train_batch_begin(self, batch, logs=None):
        """Counts from the beginning of the epoch."""
        super().on_train_batch_begin(self.first + batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """Counts from the beginning of the epoch."""
        super().on_train_batch_end(self.first + batch, logs)


def fit_from_step(model, keras_fit, parts, callbacks, *, start, epochs, steps, verbose, **options):
    """Calls Keras's `fit`; where a run begins within an epoch, first for the rest of that.

    Args:
        model: The method.
        keras_fit: `keras.Model.fit`, bound to it.
        parts: Pair of `inputs.Prepared`: the rest of the epoch to begin in, and whole epochs.
        callbacks: As in `fit`.
        start: Pair, the epoch and the step of it to begin with.
        epochs: As in `fit`.
        steps: Int, of an epoch; None where that is not known.
        verbose: As in `fit`.
        **options: Further arguments of Keras's `fit`.

    Returns:
        The history.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    rest, whole = parts
    epoch, step = start
    set_epoch = EpochSetter()
    listed = callbacks or []
    callbacks = keras.tree.flatten([set_epoch, RaiseOnNonFiniteLoss(), listed])

    def fit(part, first, end, steps_per_epoch):
        set_epoch.take(part)
        return keras_fit(
            distribute.shard_by_batch(model, part.data),
            epochs=end,
            verbose=verbose,
            callbacks=callbacks,
            shuffle=False,
            initial_epoch=first,
            steps_per_epoch=steps_per_epoch,
            **options,
        )

    given = options.pop("steps_per_epoch")
    counted = given or whole.steps
    try:
        if not step:
            return fit(whole, epoch, epochs, counted)
        callbacks = MergedCallbackList(callbacks, model, step, verbose, epochs, steps)
        callbacks.is_last = epoch + 1 >= epochs
        history = fit(rest, epoch, epoch + 1, given and given - step)
        if callbacks.is_last or model.stop_training:
            return history
        callbacks.first, callbacks.is_last = 0, True
        return fit(whole, epoch + 1, epochs, counted)
    except Exception as error:
        if NON_FINITE in str(error):
            raise non_finite_error(model) from None
        raise
    finally:
        set_epoch.take(None)
        for callback in keras.tree.flatten(listed):
            if hasattr(callback, "on_fit_exit"):  # which Keras does not tell of an error
                callback.on_fit_exit()


class EpochSetter(keras.callbacks.Callback):
    """Tells the pipelines of the data which epoch begins."""

    def __init__(self):
        super().__init__()
        self.epochs, self.start = [], None

    def take(self, prepared):
        """Turns to the data of a fit, `inputs.Prepared`."""
        for each in self.epochs:
            each.go_on_from(None)
        self.epochs, self.start = [], None
        if prepared is not None and sources.is_dataset(prepared.data):
            from keras_ssl.data import epoch_counter

            self.epochs, self.start = epoch_counter.find_counters(prepared.data), prepared.start
            for each in self.epochs:
                each.go_on_from(self.start)

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the epoch, unless each iteration is the next one."""
        if self.start is None:
            for each in self.epochs:
                each.value = epoch


def validate_resume_point(model, initial_epoch, initial_step, steps, is_counted, is_dataset):
    """Raises unless a run can begin there.

    Args:
        model: The method.
        initial_epoch: What `fit` received.
        initial_step: Likewise.
        steps: Int, of an epoch; None where that is not known.
        is_counted: Bool, whether `fit` received `steps_per_epoch`.
        is_dataset: Bool, whether the data is a `tf.data.Dataset`.
    """
    for name, value in (("initial_epoch", initial_epoch), ("initial_step", initial_step)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"`{name}` must be an int, received {value!r}.")
        if value < 0:
            raise ValueError(f"`{name}` must be at least 0, received {value}.")
    if not initial_step:
        return
    if is_counted and not is_dataset:
        raise ValueError(
            f"`initial_step` is {initial_step} and `steps_per_epoch` is given, with arrays of views"
            " or a PyDataset, whose place is not known then: give a tf.data.Dataset, or no "
            "`steps_per_epoch`."
        )
    if not model.supports_mid_epoch_resume:
        raise ValueError(
            f"`initial_step` is {initial_step}, and {type(model).__name__} begins epochs as a "
            "whole: go on from the end of an epoch, with initial_step=0."
        )
    if getattr(model._inner_optimizer, "use_ema", False):
        raise ValueError(
            "`initial_step` does not go together with an optimizer's `use_ema`, which overwrites "
            "weights whenever a fit of Keras ends: go on from the end of an epoch."
        )
    if steps is not None and initial_step >= steps:
        raise ValueError(
            f"`initial_step` is {initial_step}, and an epoch of this data has {steps} steps: it "
            "must be below that."
        )
