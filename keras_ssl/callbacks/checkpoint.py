"""A run that can be gone on with after it was stopped at any moment."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np

from keras_ssl import distribute
from keras_ssl.callbacks import checkpoint_files
from keras_ssl.validation import check_int

PATIENCE = 10.0  # seconds after which another SIGTERM ends the process at once, where no step does
TERMINATED = 128 + signal.SIGTERM  # the exit status by which shells tell of it


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole model as training goes on, so that a stopped run can be gone on with.

    A state is weights, optimizer, momentum copies, queues, schedules, the position in the data and
    what was logged of the epoch so far. It is written beside its place and moved there when
    complete: a crash, a kill or a full disk leaves the states before it as they were. SIGTERM, with
    which schedulers take machines back, saves once more and ends the process with status 143; one
    of several workers ends without, as it cannot stop the others. To start and to go on are one
    program:

        saved = keras_ssl.callbacks.latest_checkpoint("run/checkpoints")
        model = keras.saving.load_model(saved.path) if saved.path else make_model()
        model.fit(x, epochs=100, initial_epoch=saved.epoch, initial_step=saved.step,
                  callbacks=[keras_ssl.callbacks.Checkpoint("run/checkpoints", save_every_steps=500)])

    The state of other callbacks, such as the patience of `EarlyStopping`, is not kept. Put it last:
    what callbacks before it write of an epoch is then written when the epoch is saved.

    Args:
        folder: Folder for the files `<epochs done>[-<steps>].keras`; made if missing.
        max_to_keep: Int >= 1, how many of the last states to keep.
        save_every_epochs: Int >= 1, epochs from one state to the next; the last epoch is saved in any case.
        save_every_steps: Int >= 1, steps from one state to the next within epochs; None for none.

    Raises:
        ValueError: If a number is below 1; in `fit`, if the folder holds states of later steps than
            the one that begins.
    """

    def __init__(self, folder, max_to_keep=2, save_every_epochs=1, save_every_steps=None):
        super().__init__()
        check_int(1, max_to_keep=max_to_keep, save_every_epochs=save_every_epochs)
        if save_every_steps is not None:
            check_int(1, save_every_steps=save_every_steps)
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"`folder` must be a path, received {folder!r}.")
        self.folder, self.max_to_keep = Path(folder), max_to_keep
        self.save_every_epochs, self.save_every_steps = save_every_epochs, save_every_steps
        self._epoch, self._step, self._saved_at = 0, 0, None
        self._is_terminated, self._is_saving, self._before = False, False, None

    def on_train_begin(self, logs=None):
        """Makes the folder, so that a place that cannot be written is known at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if distribute.is_chief(self.model):
            for left in self.folder.glob(f"{checkpoint_files.UNFINISHED}*.keras"):
                left.unlink()
        self._saved_at, self._is_terminated = None, False
        self._supports_mid_epoch_resume = getattr(self.model, "supports_mid_epoch_resume", False)
        self._listen()

    def on_train_end(self, logs=None):
        """Gives SIGTERM back."""
        self._forget()

    def on_fit_exit(self):
        """Likewise, where `fit` of our methods ends by an error."""
        self._forget()

    def on_epoch_begin(self, epoch, logs=None):
        """Notes where it is."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        """Saves where it is time, before the step is made."""
        self._step = batch
        if self._saved_at is None:  # the first batch of a fit
            self._begin()
        since = batch - self._saved_at[1] if self._saved_at[0] == self._epoch else batch
        is_due = batch and self.save_every_steps and since >= self.save_every_steps
        if (is_due or self._saves_at_last) and (self._supports_mid_epoch_resume or not batch):
            self._save(self._epoch, batch)
        self._stop_if_terminated()

    def on_epoch_end(self, epoch, logs=None):
        """Saves where it is time."""
        is_last = epoch + 1 == self.params.get("epochs")
        if not (epoch + 1) % self.save_every_epochs or is_last or self._saves_at_last:
            self._save(epoch + 1, 0)
        self._stop_if_terminated()

    @property
    def _saves_at_last(self):
        """Whether SIGTERM came, and no other worker trains on, with which this one cannot agree."""
        return self._is_terminated and not distribute.has_other_workers(self.model)

    def _begin(self):
        """Refuses to mix the states of two runs; goes on with the logs of a stopped epoch."""
        self._saved_at = (self._epoch, self._step)
        path, epoch, step = saved = checkpoint_files.latest_checkpoint(self.folder)
        if saved[1:] > self._saved_at:
            at = f" and {step} steps" if step else ""
            raise ValueError(
                f"`folder` holds {path}, the state after epoch {epoch}{at}, and epoch "
                f"{self._epoch + 1} begins at step {self._step}. Load that state and pass "
                f"initial_epoch={epoch}, initial_step={step} to go on with it, or choose another "
                "folder."
            )
        if path is None or saved[1:] != self._saved_at:
            return
        metrics, before = (
            self.model.metrics_variables,
            checkpoint_files.read_metadata(path)["metrics"],
        )
        if step and [list(v.shape) for v in metrics] == [list(np.shape(v)) for v in before]:
            for variable, value in zip(metrics, before, strict=True):
                variable.assign(value)

    def _save(self, epoch, step):
        """Saves a state, then removes what is older than the last `max_to_keep`; the first worker does."""
        if self._saved_at == (epoch, step):
            return
        self._saved_at = (epoch, step)
        model = self.model  # on JAX this fetches the weights
        metrics = [keras.ops.convert_to_numpy(v).tolist() for v in model.metrics_variables]
        if not distribute.is_chief(model):  # which all had to read metrics with
            return
        self._is_saving = True
        try:
            checkpoint_files.write_checkpoint(model, self.folder, epoch, step, {"metrics": metrics})
        finally:
            self._is_saving = False
        # Later ones are damaged, or not ours: they were there when this run began.
        done = [
            each
            for each in checkpoint_files.list_checkpoints(self.folder)
            if each[:2] <= (epoch, step)
        ]
        for _, _, old in done[: -self.max_to_keep]:
            old.unlink()

    def _listen(self):
        if threading.current_thread() is threading.main_thread():  # no other may listen
            self._before = signal.signal(signal.SIGTERM, self._on_sigterm)

    def _forget(self):
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def _on_sigterm(self, number, frame):
        now = time.monotonic()
        if not self._is_terminated:
            self._is_terminated, self._terminated_at = True, now
        elif not self._is_saving and now - self._terminated_at > PATIENCE:  # no step sees it
            self._forget()
            signal.raise_signal(number)

    def _stop_if_terminated(self):
        if self._is_terminated:
            self._forget()
            where = (
                f"the last state is in {self.folder}: run the same again to go on with it"
                if checkpoint_files.list_checkpoints(self.folder)
                else "there was nothing to save yet"
            )
            print(f"Stopped by SIGTERM; {where}.", flush=True)
            sys.exit(TERMINATED)
