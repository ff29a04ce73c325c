"""A run that can be gone on with after it was stopped at any moment."""

import os
from pathlib import Path

import keras

from keras_ssl.evaluation.checks import check_count

UNFINISHED = "unfinished-"


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves the whole model as epochs end, so that a stopped run can go on.

    A file is written beside its place and moved there when complete: a crash leaves the states
    before it as they were. Load with `latest_checkpoint`:

        saved, epoch = keras_ssl.callbacks.latest_checkpoint("run/checkpoints")
        model = keras.saving.load_model(saved) if saved else make_model()
        model.fit(x, epochs=100, initial_epoch=epoch,
                  callbacks=[keras_ssl.callbacks.EpochCheckpoint("run/checkpoints")])

    Args:
        folder: Folder for the files `<epochs done>.keras`; made if missing.
        keep: Int >= 1, how many of the last states to keep.
        every: Int >= 1, epochs from one state to the next; the last epoch is saved in any case.

    Raises:
        ValueError: If `keep` or `every` is below 1; in `fit`, if the folder holds states of later
            epochs than the one that begins.
    """

    def __init__(self, folder, keep=2, every=1):
        super().__init__()
        check_count(keep=keep, every=every)
        self.folder, self.keep, self.every = Path(folder), keep, every

    def on_train_begin(self, logs=None):
        """Makes the folder, so that a place that cannot be written is known at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(f"{UNFINISHED}*.keras"):
            left.unlink()

    def on_epoch_begin(self, epoch, logs=None):
        """Refuses to mix the states of two runs."""
        path, done = latest_checkpoint(self.folder)
        if done > epoch:
            raise ValueError(
                f"`folder` holds {path}, the state after epoch {done}, and epoch {epoch + 1} "
                f"begins. Load that state and pass initial_epoch={done} to go on with it, or "
                "choose another folder."
            )

    def on_epoch_end(self, epoch, logs=None):
        """Saves, then removes what is older than the last `keep` states."""
        if (epoch + 1) % self.every and epoch + 1 != self.params.get("epochs"):
            return
        path = self.folder / f"{epoch + 1:05d}.keras"
        unfinished = path.with_name(f"{UNFINISHED}{path.name}")
        self.model.save(unfinished)
        os.replace(unfinished, path)
        for old in _finished(self.folder)[: -self.keep]:
            old.unlink()


def latest_checkpoint(folder):
    """Finds the last state that `EpochCheckpoint` saved.

    Args:
        folder: The folder given to `EpochCheckpoint`; it need not exist.

    Returns:
        Its path and the number of epochs done; None and 0 where there is no state.
    """
    finished = _finished(Path(folder))
    return (finished[-1], int(finished[-1].stem)) if finished else (None, 0)


def _finished(folder):
    return sorted(path for path in folder.glob("*.keras") if path.stem.isdigit())
