"""Checkpointing that makes interrupted runs resumable."""

import logging
import os
import time
from pathlib import Path

import keras
import numpy as np

from keras_ssl import distribute
from keras_ssl._types import PathLike
from keras_ssl.callbacks import checkpoint_files
from keras_ssl.callbacks.background import BackgroundCall
from keras_ssl.callbacks.sigterm import SigtermHandler, TrainingTerminated
from keras_ssl.validation import check_int, check_number

logger = logging.getLogger(__name__)


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole model during training, so that an interrupted run can be resumed.

    A checkpoint holds the weights, the optimizer, EMA copies, memory banks, schedules, the
    position in the data and the logs of the current epoch. A resumed run ends with the same
    weights as an uninterrupted one. Each checkpoint is written to a temporary file and renamed
    when it is complete, so a crash, a kill or a full disk never damages earlier checkpoints.

    Training goes on while the file is flushed to the disk, which takes most of the time on slow
    disks. The next checkpoint and the end of `fit` wait for it.

    Schedulers of clusters send SIGTERM to preempt a job. The callback then saves a checkpoint,
    logs where it is and raises `TrainingTerminated`, which ends the process with status 143. One
    of several workers stops without saving, because it cannot stop the others at the same step.

    The same program starts and resumes a run:

        saved = keras_ssl.callbacks.latest_checkpoint("run/checkpoints")
        model = keras.saving.load_model(saved.path) if saved.path else make_model()
        checkpoint = keras_ssl.callbacks.Checkpoint("run/checkpoints", save_every_steps=500)
        model.fit(x, epochs=100, initial_epoch=saved.epoch, initial_step=saved.step,
                  callbacks=[checkpoint])

    The state of other callbacks, such as the patience of `EarlyStopping`, is not saved. Put this
    callback last, so that other callbacks have finished an epoch before it is saved.

    Args:
        folder: Folder for the files `<epochs>[-<steps>].keras`, named after the completed epochs
            and the completed steps of the next epoch. Created if missing.
        max_to_keep: Int >= 1, the number of latest checkpoints to keep.
        save_every_epochs: Int >= 1, the number of epochs between checkpoints, or None if epochs
            are short: `Checkpoint(folder, save_every_epochs=None, save_every_minutes=10)`. The
            last epoch is always saved.
        save_every_steps: Int >= 1, the number of steps between checkpoints within an epoch. None
            saves at the end of epochs only.
        save_every_minutes: Number >= 0, the minutes after which a checkpoint is saved, at the
            next step or the end of the epoch. None saves by epochs and steps only.

    Raises:
        OSError: In `fit`, if a checkpoint cannot be written.
        ValueError: If a number is out of range; in `fit`, if the folder holds a checkpoint of a
            later step than the first one of this `fit`, or if several workers, whose clocks
            differ, are to save by minutes.
        TypeError: If an argument is of an unsupported type.
    """

    def __init__(
        self,
        folder: PathLike,
        max_to_keep: int = 2,
        save_every_epochs: int | None = 1,
        save_every_steps: int | None = None,
        save_every_minutes: float | None = None,
    ) -> None:
        super().__init__()
        check_int(1, max_to_keep=max_to_keep)
        if save_every_epochs is not None:
            check_int(1, save_every_epochs=save_every_epochs)
        if save_every_steps is not None:
            check_int(1, save_every_steps=save_every_steps)
        if save_every_minutes is not None:
            check_number(0, save_every_minutes=save_every_minutes)
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"`folder` must be a path. Received {folder!r}.")
        self.folder, self.max_to_keep = Path(folder), max_to_keep
        self.save_every_epochs, self.save_every_steps = save_every_epochs, save_every_steps
        self.save_every_minutes = save_every_minutes
        self._epoch = 0
        self._last_saved = None  # (epochs, steps); None before the first batch of a `fit`
        self._last_time = 0.0  # of a checkpoint or the start of `fit`, in seconds
        self._is_writing = False
        self._flush = BackgroundCall()
        self._sigterm = SigtermHandler(lambda: self._is_writing or self._flush.is_running)

    def on_train_begin(self, logs=None):
        if self.save_every_minutes is not None and distribute.has_other_workers(self.model):
            raise ValueError(
                "`save_every_minutes` does not support several workers, which must save at the "
                "same step. Use `save_every_steps`."
            )
        # Created here, so that an unwritable path fails before training.
        self.folder.mkdir(parents=True, exist_ok=True)
        if distribute.is_chief(self.model):
            checkpoint_files.remove_temporary_files(self.folder)
        self._last_saved = None
        self._last_time = time.monotonic()
        self._can_save_within_epoch = getattr(self.model, "supports_mid_epoch_resume", False)
        self._sigterm.install()

    def on_train_end(self, logs=None):
        try:
            self._flush.wait()
        finally:
            self._sigterm.restore()

    def on_fit_exit(self):
        """Restores the previous handler of SIGTERM and completes the last checkpoint.

        Our methods call it when `fit` returns or raises. Keras does not call `on_train_end` after
        an exception.
        """
        try:
            self._flush.wait()
        except OSError as error:  # the error that `fit` raises goes first
            logger.error("%s", error)
        finally:
            self._sigterm.restore()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        self._flush.raise_error()
        if self._last_saved is None:
            self._start(self._epoch, batch)
        last_epoch, last_step = self._last_saved
        steps = batch - last_step if last_epoch == self._epoch else batch
        is_due = batch and self.save_every_steps and steps >= self.save_every_steps
        is_due = is_due or self._minutes_have_passed or self._saves_on_sigterm
        if is_due and (self._can_save_within_epoch or not batch):
            self._save(self._epoch, batch)
        self._exit_on_sigterm()

    def on_epoch_end(self, epoch, logs=None):
        is_last = epoch + 1 == self.params.get("epochs")
        is_due = self.save_every_epochs and not (epoch + 1) % self.save_every_epochs
        if is_due or is_last or self._minutes_have_passed or self._saves_on_sigterm:
            self._save(epoch + 1, 0)
        self._exit_on_sigterm()

    @property
    def _minutes_have_passed(self):
        if self.save_every_minutes is None:
            return False
        return time.monotonic() - self._last_time >= 60 * self.save_every_minutes

    @property
    def _saves_on_sigterm(self):
        """Whether SIGTERM came and this is the only worker.

        Several workers cannot agree on a step to save.
        """
        return self._sigterm.is_received and not distribute.has_other_workers(self.model)

    def _start(self, epoch, step):
        """Raises if the folder holds a later checkpoint; restores the logs of a resumed epoch."""
        self._last_saved = (epoch, step)
        path, saved_epoch, saved_step = checkpoint_files.latest_checkpoint(self.folder)
        if (saved_epoch, saved_step) > (epoch, step):
            raise ValueError(
                f"`folder` holds a later checkpoint, {path} (epoch {saved_epoch}, step "
                f"{saved_step}), and this `fit` starts at epoch {epoch}, step {step}. To resume, "
                f"load that checkpoint and pass initial_epoch={saved_epoch}, "
                f"initial_step={saved_step}. To start a new run, choose another folder."
            )
        if path is not None and step and (saved_epoch, saved_step) == (epoch, step):
            self._restore_metrics(checkpoint_files.read_metadata(path)["metrics"])

    def _restore_metrics(self, values):
        variables = self.model.metrics_variables
        if [list(v.shape) for v in variables] == [list(np.shape(value)) for value in values]:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _save(self, epoch, step):
        """Writes a checkpoint, which is flushed in the background. Only the chief writes."""
        if self._last_saved == (epoch, step):
            return
        self._last_saved = (epoch, step)
        model = self.model  # on JAX, this property copies the state of the trainer to the model
        # All workers must take part in reading metrics.
        metrics = [keras.ops.convert_to_numpy(v).tolist() for v in model.metrics_variables]
        if not distribute.is_chief(model):
            return
        self._flush.wait()
        self._is_writing = True
        try:
            file = checkpoint_files.CheckpointFile(self.folder, epoch, step)
            file.write(model, {"metrics": metrics})
        finally:
            self._is_writing = False
        self._flush.start(self._complete, file)
        self._last_time = time.monotonic()

    def _complete(self, file):
        """Flushes a checkpoint, and removes all but the last `max_to_keep`."""
        file.complete()
        # Files of later steps are damaged or of another run: they were there when `fit` started.
        own_paths = [
            path
            for saved_epoch, saved_step, path in checkpoint_files.list_checkpoints(self.folder)
            if (saved_epoch, saved_step) <= (file.epoch, file.step)
        ]
        for path in own_paths[: -self.max_to_keep]:
            path.unlink()

    def _exit_on_sigterm(self):
        if not self._sigterm.is_received:
            return
        try:
            self._flush.wait()  # before another SIGTERM can end the process
        finally:
            self._sigterm.restore()
        message = "Stopped by SIGTERM; nothing was saved yet."
        if checkpoint_files.list_checkpoints(self.folder):
            message = (
                f"Stopped by SIGTERM; the last checkpoint is in {self.folder}. Run the same "
                "program again to resume."
            )
        logger.warning(message)
        raise TrainingTerminated(message)
