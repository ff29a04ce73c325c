"""The folder of one run: its settings, and where it stopped."""

import json
import os
from pathlib import Path

from keras_ssl.callbacks.checkpoint_files import latest_checkpoint


def prepare_run_dir(folder, settings):
    """Makes the folder of a run, or finds where a stopped run in it ended.

    Args:
        folder: Folder of the run; made if missing. `config.json` holds the settings,
            `checkpoints/` what `Checkpoint` saves.
        settings: Dict of what JSON can hold; all else is written as a string.

    Returns:
        What `latest_checkpoint` finds in it.

    Raises:
        ValueError: If the folder holds a run with other settings.
    """
    folder = Path(folder)
    path = folder / "config.json"
    settings = json.loads(json.dumps(settings, default=str))
    if path.exists():
        before = json.loads(path.read_text())
        changed = [
            f"{name} was {before.get(name)!r} and is {settings.get(name)!r}"
            for name in sorted(before.keys() | settings.keys())
            if before.get(name) != settings.get(name)
        ]
        if changed:
            raise ValueError(
                f"`output` {str(folder)!r} holds a run with other settings: {'; '.join(changed)}. "
                "Choose another folder, or give the settings of that run to go on with it."
            )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".unfinished-{os.getpid()}")  # workers may share the folder
        unfinished.write_text(json.dumps(settings, indent=2) + "\n")
        os.replace(unfinished, path)
    return latest_checkpoint(folder / "checkpoints")
