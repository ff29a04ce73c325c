import json
from pathlib import Path

import adaptation
import pytest
from adaptation import Options, main

PARTS = {"before, spoiled test images": 0.3, "adapted, last epoch": 0.5}

# A fake recipe that writes the files of a run. The accuracy grows by 0.01 with each seed.
FAKE = f"""
import json, pathlib, sys
a = sys.argv[1:]
given = {{k[2:].replace("-", "_"): v for k, v in zip(a, a[1:]) if k.startswith("--")}}
folder = pathlib.Path(given.pop("output"))
more = int(given["seed"]) / 100
(folder / "clip").mkdir()
names = ("zero_shot", "zero_shot_held_out_phrases")
(folder / "clip" / "clip.json").write_text(json.dumps(dict.fromkeys(names, 0.9 + more)))
corruption = dict.fromkeys(("noise", "blur", "contrast", "cast"), 0.5)
config = {{"clip_epochs": 3, "epochs": 5, "images": None, **corruption, **given}}
(folder / "config.json").write_text(json.dumps(config))
(folder / "time.json").write_text(json.dumps({{"epochs": 5, "seconds": 1.0}}))
results = {{name: share + more for name, share in {PARTS!r}.items()}}
(folder / "results.json").write_text(json.dumps(results))
with open(folder.parent / "ran.txt", "a") as file:
    print(*a, file=file)
"""


@pytest.fixture
def options(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "reclip.py").write_text(FAKE)
    monkeypatch.setattr(adaptation, "ROOT", tmp_path)
    return Options(epochs=5, output=tmp_path / "runs", results=tmp_path / "RESULTS.md")


def test_the_table_has_means_over_seeds_and_complete_runs_are_kept(options):
    main(options)
    main(options)
    text = options.results.read_text()
    assert text.count("<!-- methods: digits ReCLIP -->") == 1
    assert "3 epochs of CLIP and 5 of adapting to all training images" in " ".join(text.split())
    assert "| adapted, last epoch | 51.0 ± 1.0 |" in text
    assert "| CLIP, test images as they are | 91.0 ± 1.0 |" in text
    commands = (options.output / "digits" / "ran.txt").read_text().splitlines()
    assert [command.split("--seed ")[1].split()[0] for command in commands] == ["0", "1", "2"]


def test_the_titles_are_those_of_the_recipe():
    recipe = (Path(adaptation.__file__).parents[1] / "recipes" / "reclip.py").read_text()
    assert all(json.dumps(title) in recipe for title in PARTS)
    clip = (Path(adaptation.__file__).parents[1] / "recipes" / "clip.py").read_text()
    assert all(json.dumps(key) in clip for key in adaptation.CLIP)
