"""Atomic checkpoint files."""

import contextlib
import json
import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

from keras_ssl._types import PathLike

TEMPORARY_PREFIX = "unfinished-"
METADATA_NAME = "keras_ssl.json"  # inside the .keras archive


class CheckpointInfo(NamedTuple):
    """A checkpoint of `callbacks.Checkpoint`, or the absence of one.

    Attributes:
        path: Path of a `.keras` file, or None if there is no checkpoint.
        epoch: Int, the number of completed epochs: the `initial_epoch` to resume with.
        step: Int, the number of completed steps of the next epoch: the `initial_step`.
    """

    path: Path | None
    epoch: int
    step: int


def latest_checkpoint(folder: PathLike) -> CheckpointInfo:
    """Finds the latest checkpoint of `callbacks.Checkpoint`.

    A file that is damaged, or that `Checkpoint` did not write, is skipped with a warning.

    Args:
        folder: The folder given to `Checkpoint`. It may be missing.

    Returns:
        Named tuple `(path, epoch, step)`: the file, the number of completed epochs, and the number
        of completed steps of the next epoch. `(None, 0, 0)` if there is no checkpoint.
    """
    for epoch, step, path in reversed(list_checkpoints(Path(folder))):
        problem = _find_problem(path)
        if problem is None:
            return CheckpointInfo(path, epoch, step)
        warnings.warn(f"{path} {problem}. The checkpoint before it is used.", stacklevel=2)
    return CheckpointInfo(None, 0, 0)


def list_checkpoints(folder):
    """Returns the checkpoints in a folder, `(epoch, step, path)`, from the first to the last."""
    checkpoints = []
    for path in folder.glob("*.keras"):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", path.stem)
        if match:
            checkpoints.append((int(match[1]), int(match[2] or 0), path))
    return sorted(checkpoints)


def remove_temporary_files(folder):
    """Removes incomplete checkpoints that a killed run left behind."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*.keras"):
        path.unlink()


class CheckpointFile:
    """A checkpoint that is written to a temporary file, and renamed when it is on the disk.

    Args:
        folder: Path.
        epoch: Int, the number of completed epochs.
        step: Int, the number of completed steps of the next epoch.
    """

    def __init__(self, folder, epoch, step):
        self.epoch, self.step = epoch, step
        self.path = folder / (f"{epoch:05d}-{step:06d}.keras" if step else f"{epoch:05d}.keras")
        self.temporary_path = self.path.with_name(f"{TEMPORARY_PREFIX}{self.path.name}")

    def write(self, model, metadata):
        """Writes the temporary file.

        Args:
            model: The model.
            metadata: Dict of JSON values.

        Raises:
            OSError: If the checkpoint cannot be written. Earlier checkpoints are unchanged.
        """
        with self._explained_errors():
            model.save(self.temporary_path)
            with zipfile.ZipFile(self.temporary_path, "a") as file:
                file.writestr(METADATA_NAME, json.dumps(metadata))

    def complete(self):
        """Flushes the file to the disk, then renames it. It needs no model.

        Raises:
            OSError: As `write`.
        """
        with self._explained_errors():
            _fsync(self.temporary_path)
            os.replace(self.temporary_path, self.path)
            _fsync(self.path.parent)

    @contextlib.contextmanager
    def _explained_errors(self):
        try:
            yield
        except OSError as error:
            self.temporary_path.unlink(missing_ok=True)
            raise OSError(
                f"The checkpoint of epoch {self.epoch}, step {self.step} could not be saved in "
                f"{self.path.parent}: {error}. Earlier checkpoints are intact. Fix the cause, such "
                "as a full disk, and run the same program again to resume from the last one."
            ) from error


def read_metadata(path):
    """Returns the metadata that `CheckpointFile.write` wrote."""
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read(METADATA_NAME))


def _find_problem(path):
    """Returns what is wrong with a file, as the end of a sentence, or None if it is intact."""
    try:
        with zipfile.ZipFile(path) as file:
            damaged_member = file.testzip()
            if damaged_member:
                return f"is damaged: {damaged_member} is corrupt"
            if METADATA_NAME not in file.namelist():
                return "was not saved by keras_ssl.callbacks.Checkpoint"
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        return f"is damaged: {error}"
    return None


def _fsync(path):
    """Flushes a file, or the entries of a folder, to the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # folders on Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
