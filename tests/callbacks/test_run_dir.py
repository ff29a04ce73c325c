import json
import zipfile
from pathlib import Path

import pytest

from keras_ssl.callbacks import prepare_run_dir

SETTINGS = {"epochs": 3, "temperature": 0.5, "data_dir": Path("images"), "encoder": "resnet18"}


def test_prepare_run_dir_writes_the_settings_of_a_new_run(tmp_path):
    folder = tmp_path / "runs" / "first"
    assert prepare_run_dir(folder, SETTINGS) == (None, 0, 0)
    assert json.loads((folder / "config.json").read_text()) == {**SETTINGS, "data_dir": "images"}
    assert [file.name for file in folder.iterdir()] == ["config.json"]


def test_prepare_run_dir_finds_the_latest_checkpoint_of_a_run(tmp_path):
    prepare_run_dir(tmp_path, SETTINGS)
    (tmp_path / "checkpoints").mkdir()
    for name in ("00001.keras", "00002.keras", "00002-000007.keras", "unfinished-00003.keras"):
        with zipfile.ZipFile(tmp_path / "checkpoints" / name, "w") as file:
            file.writestr("keras_ssl.json", "{}")
    checkpoint = prepare_run_dir(str(tmp_path), SETTINGS)
    assert checkpoint == (tmp_path / "checkpoints" / "00002-000007.keras", 2, 7)


def test_prepare_run_dir_rejects_other_settings(tmp_path):
    prepare_run_dir(tmp_path, SETTINGS)
    changed = {**SETTINGS, "temperature": 0.1, "width": 2}
    with pytest.raises(ValueError, match=r"temperature was 0\.5 and is 0\.1; width was None"):
        prepare_run_dir(tmp_path, changed)
    assert prepare_run_dir(tmp_path, SETTINGS) == (None, 0, 0)
