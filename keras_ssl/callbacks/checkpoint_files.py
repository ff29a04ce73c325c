"""States of a run in files that are whole or are not there."""

import json
import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

UNFINISHED = "unfinished-"
MEMBER = "keras_ssl.json"  # inside each file: where in the run it was saved


class CheckpointInfo(NamedTuple):
    """A state that `Checkpoint` saved, or the lack of one.

    Attributes:
        path: Path of a `.keras` file; None where there is none.
        epoch: Int, epochs done: `initial_epoch` to go on with.
        step: Int, steps of the epoch after them: `initial_step`.
    """

    path: Path | None
    epoch: int
    step: int


def latest_checkpoint(folder):
    """Finds the last state that `Checkpoint` saved.

    A file that is damaged, or that `Checkpoint` did not write, is named in a warning, and the one
    before it is taken.

    Args:
        folder: The folder given to `Checkpoint`; it need not exist.

    Returns:
        `Saved`: path, epochs done, and steps of the epoch after them; None, 0 and 0 where there is
        no state.
    """
    for epoch, step, path in reversed(list_checkpoints(Path(folder))):
        problem = _problem(path)
        if problem is None:
            return CheckpointInfo(path, epoch, step)
        warnings.warn(f"{path} {problem}: the state before it is used.", stacklevel=2)
    return CheckpointInfo(None, 0, 0)


def list_checkpoints(folder):
    """The states in a folder, `(epoch, step, path)`, from the first to the last."""
    found = []
    for path in folder.glob("*.keras"):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", path.stem)
        if match:
            found.append((int(match[1]), int(match[2] or 0), path))
    return sorted(found)


def write_checkpoint(model, folder, epoch, step, note):
    """Writes a state beside its place, and moves it there when it is complete on the disk.

    Args:
        model: The model.
        folder: Path.
        epoch: Int, epochs done.
        step: Int, steps of the epoch after them.
        note: Dict of what JSON can hold.

    Raises:
        OSError: If it cannot be written; states before it stay.
    """
    path = folder / (f"{epoch:05d}-{step:06d}.keras" if step else f"{epoch:05d}.keras")
    unfinished = path.with_name(f"{UNFINISHED}{path.name}")
    try:
        model.save(unfinished)
        with zipfile.ZipFile(unfinished, "a") as file:
            file.writestr(MEMBER, json.dumps(note))
        _fsync(unfinished)
        os.replace(unfinished, path)
        _fsync(folder)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(
            f"The state after epoch {epoch}, step {step} could not be saved in {folder}: {error}. "
            "States saved before it are whole: make room, and run the same again to go on from the "
            "last of them."
        ) from error


def _problem(path):
    """What is wrong with a file, in words; None where it is whole."""
    try:
        with zipfile.ZipFile(path) as file:
            broken = file.testzip()
            if broken:
                return f"is damaged, in {broken}"
            if MEMBER not in file.namelist():
                return "was not saved by keras_ssl.callbacks.Checkpoint"
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        return f"is damaged ({error})"
    return None


def read_metadata(path):
    """What `write` noted in a state."""
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read(MEMBER))


def _fsync(path):
    """Asks the machine to have a file, or the names in a folder, on the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # folders on Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
