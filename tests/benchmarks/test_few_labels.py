import csv
import json
import sys

import few_labels
import few_labels_table
import pytest
from few_labels import Options, main
from recipe_checks import names_with

from keras_ssl.recipes import semi_supervised

# A fake recipe whose accuracy depends on the number of labels, the seed and the pretraining.
FAKE = """
import json, pathlib, sys
a = sys.argv[1:]
given = {k[2:].replace("-", "_"): v for k, v in zip(a, a[1:]) if k.startswith("--")}
folder = pathlib.Path(given.pop("output"))
with open(folder / "ran.txt", "a") as file:
    print(*a, file=file)
if given.get("label_seed") == "1" and (folder.parents[1] / "break").exists():
    print("ValueError: no labels", file=sys.stderr)
    sys.exit(1)
(folder / "config.json").write_text(json.dumps(given))
(folder / "time.json").write_text(json.dumps({"epochs": 1, "seconds": 60}))
if folder.name == "simclr":
    (folder / "model.keras").write_text("")
    (folder / "results.json").write_text("[]")
else:
    share = 0.1 * int(given["labels_per_class"]) + 0.02 * int(given["label_seed"])
    share += 0.3 * ("pretrained" in given)
    (folder / "results.json").write_text(json.dumps({"accuracy": share, "steps": 40}))
    lines = ["epoch,val_accuracy", "0,nan", f"1,{share}"]
    (folder / "history.csv").write_text("\\n".join(lines))
"""


@pytest.fixture
def options(tmp_path, monkeypatch):
    """Replaces the recipes with fakes and returns the options of a command."""
    (tmp_path / "recipes").mkdir()
    for recipe in ("simclr", *(recipe for _, recipe, _ in few_labels.METHODS.values())):
        (tmp_path / "recipes" / f"{recipe}.py").write_text(FAKE)
    monkeypatch.setattr(few_labels, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["few_labels.py", "--label-seeds", "2"])
    return Options(
        labels_per_class=(1, 4),
        label_seeds=2,
        methods=("fixmatch", "pretrained_fixmatch"),
        output=tmp_path / "runs",
        results=tmp_path / "RESULTS.md",
    )


def test_the_table_has_mean_and_deviation_over_label_seeds(options, capsys):
    main(options)
    text = options.results.read_text()
    assert "## Few labels on digits" in text
    assert "    python benchmarks/few_labels.py --label-seeds 2\n" in text
    assert "| FixMatch | 11.0 ± 1.4 (11.0) | 41.0 ± 1.4 (41.0) |" in text
    assert "| FixMatch, from SimCLR | 41.0 ± 1.4 (41.0) | 71.0 ± 1.4 (71.0) |" in text
    assert "40 steps" in text
    assert (options.folder / "curves.png").stat().st_size > 0


def test_each_run_gets_its_label_seed_and_pretraining_runs_once(options, capsys):
    main(options)
    main(options)  # all runs are complete
    commands = (options.folder / "simclr" / "ran.txt").read_text().splitlines()
    assert len(commands) == 1
    for count in options.labels_per_class:
        for seed in (0, 1):
            folder = options.folder / "pretrained_fixmatch" / f"{count}-per-class-{seed}"
            (line,) = (folder / "ran.txt").read_text().splitlines()
            assert f"--labels-per-class {count} --label-seed {seed}" in line
            assert f"--pretrained {options.folder / 'simclr' / 'model.keras'}" in line


def test_a_failed_run_is_named_and_the_others_are_in_the_table(options, capsys):
    options.folder.mkdir(parents=True)
    (options.folder / "break").write_text("")
    with pytest.raises(SystemExit, match="Failed: fixmatch, 1 per class, label seed 1"):
        main(options)
    assert "| FixMatch | 10.0 (10.0), 1 of 2 | 40.0 (40.0), 1 of 2 |" in options.results.read_text()
    assert "failed: ValueError: no labels" in capsys.readouterr().out


def test_curves_have_only_the_evaluated_epochs(options, capsys):
    main(options)
    file = options.folder / "fixmatch" / "4-per-class-1" / "history.csv"
    assert few_labels_table.history(file) == [(2, pytest.approx(0.42))]
    assert len(list(csv.reader(file.read_text().splitlines()))) == 3
    assert json.loads((file.parent / "process.json").read_text())["error"] is None


def test_every_semi_supervised_recipe_is_compared():
    recipes = set(names_with(semi_supervised.Config))
    compared = {recipe for _, recipe, _ in few_labels.METHODS.values()}
    assert compared == recipes - {"pretrain_then_fixmatch"}
