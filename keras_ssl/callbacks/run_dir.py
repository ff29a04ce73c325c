"""The folder of a run: its settings and checkpoints."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_ssl._types import PathLike
from keras_ssl.callbacks.checkpoint_files import CheckpointInfo, latest_checkpoint


def prepare_run_dir(folder: PathLike, settings: Mapping[str, Any]) -> CheckpointInfo:
    """Creates the folder of a new run, or finds the latest checkpoint of an interrupted run.

    Args:
        folder: Folder of the run, created if missing. `config.json` holds the settings, and
            `checkpoints/` is for `callbacks.Checkpoint`.
        settings: Dict of JSON values. Other values are written as strings.

    Returns:
        The result of `latest_checkpoint` for `checkpoints/`.

    Raises:
        ValueError: If the folder holds a run with other settings.
    """
    folder = Path(folder)
    path = folder / "config.json"
    settings = json.loads(json.dumps(settings, default=str))
    if path.exists():
        previous = json.loads(path.read_text())
        changes = [
            f"{name} was {previous.get(name)!r} and is {settings.get(name)!r}"
            for name in sorted(previous.keys() | settings.keys())
            if previous.get(name) != settings.get(name)
        ]
        if changes:
            raise ValueError(
                f"`folder` {str(folder)!r} holds a run with other settings: {'; '.join(changes)}. "
                "Choose another folder, or use the settings of that run to resume it."
            )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        # Several workers may write the same file: each uses its own temporary file.
        temporary = path.with_suffix(f".unfinished-{os.getpid()}")
        temporary.write_text(json.dumps(settings, indent=2) + "\n")
        os.replace(temporary, path)
    return latest_checkpoint(folder / "checkpoints")
