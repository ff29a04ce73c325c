import csv
import json
import shlex
import subprocess
import sys
from pathlib import Path

import methods
import pytest
from methods import Options, main
from recipe_checks import RECIPES, names_with

from keras_ssl.recipes import pretraining

COMMAND = Path(methods.__file__)
TEXTS = ("method", "features", "encoder", "commit", "settings", "error")

# A fake recipe that writes the files of a run and records its command.
FAKE = """
import json, os, pathlib, signal, sys
a = sys.argv[1:]
given = {k[2:].replace("-", "_"): v for k, v in zip(a, a[1:]) if k.startswith("--")}
folder = pathlib.Path(given.pop("output"))
with open(folder / "ran.txt", "a") as file:
    print(*a, file=file)
name, per_epoch = folder.name, {"byol": 30.0, "swav": 500.0}.get(folder.name, 12.0)
if (folder.parents[2] / f"break_{name}").exists():
    print("Epoch 1/3")
    print("Traceback (most recent call last):", file=sys.stderr)
    print("ValueError: the | batch is empty", file=sys.stderr)
    sys.exit(1)
if (folder.parents[2] / f"kill_{name}").exists():
    os.kill(os.getpid(), signal.SIGKILL)
epochs = int(given.get("epochs", 7))
(folder / "config.json").write_text(json.dumps({**given, "epochs": epochs}))
seconds = per_epoch * epochs + (60.0 if epochs < 3 else 0.0)  # compilation
(folder / "time.json").write_text(json.dumps({"epochs": epochs, "seconds": seconds}))
row = {"knn": 0.5, "linear": 0.6, "labels_1": 0.2, "labels_1_std": 0.01}
names = ["trained encoder"]
if "--no-baselines" not in a:
    names = ["raw pixels", "untrained encoder", *names]
if name == "emp_ssl":
    names += ["trained, mean of views"]
(folder / "results.json").write_text(json.dumps([{"features": n, **row} for n in names]))
"""


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """Replaces the recipes with fakes and returns the options of a command."""
    (tmp_path / "recipes").mkdir()
    for _, recipe, _ in (methods.METHODS | methods.TRANSFORMERS).values():
        (tmp_path / "recipes" / f"{recipe}.py").write_text(FAKE)
    monkeypatch.setattr(methods, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["methods.py", "--epochs", "3"])

    def options(*names, epochs=3, **changed):
        paths = {"output": tmp_path / "runs", "results": tmp_path / "RESULTS.md"}
        return Options(methods=names, epochs=epochs, **paths, **changed)

    return options


def commands(options, name):
    """Returns the commands that a method was run with."""
    file = options.folder / name / "ran.txt"
    return file.read_text().splitlines() if file.exists() else []


def epochs_of(command):
    arguments = command.split()
    return int(arguments[arguments.index("--epochs") + 1])


def table_of(options):
    lines = options.results.read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    return {row[0]: dict(zip(rows[0], row, strict=False)) for row in rows[2:]}


def rows_of(options):
    with open(options.folder / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_each_method_runs_its_recipe_with_its_settings_and_the_same_epochs(fakes):
    options = fakes(*methods.METHODS, dataset="cifar10", data_dir=Path("somewhere"), seed=4)
    main(options)
    for name in methods.METHODS:
        (command,) = commands(options, name)
        for option in ("--dataset cifar10", "--data-dir somewhere", "--seed 4", "--epochs 3"):
            assert option in command
    assert "--temperature 0.2" in commands(options, "simclr")[0]
    assert "--queue-size 4096" in commands(options, "moco_v2")[0]
    assert "--version 3" in commands(options, "moco_v3")[0]
    assert "--prototypes 128" in commands(options, "swav")[0]
    text = options.results.read_text()
    assert "SwAV `--prototypes 128 --batch-size 64" in text
    assert "    python benchmarks/methods.py --epochs 3\n" in text
    assert {row["seed"] for row in rows_of(options) if row["epochs"]} == {"4"}


def test_every_recipe_is_compared_and_every_published_figure_has_a_row():
    every_method = [*methods.METHODS.values(), *methods.TRANSFORMERS.values()]
    recipes = {recipe for _, recipe, _ in every_method}
    assert recipes == set(names_with(pretraining.Config)) - {"clip"}  # which needs captions
    assert all((RECIPES / f"{recipe}.py").exists() for recipe in recipes)
    titles = {title for title, _, _ in methods.METHODS.values()}
    assert set(methods.methods_table.PUBLISHED["cifar10"]) == titles
    for settings in methods.SETTINGS.values():
        assert set(settings) <= set(methods.METHODS)


def test_the_table_has_the_baselines_once_then_the_results_of_each_run(fakes):
    options = fakes("simclr", "emp_ssl", dataset="cifar10")
    main(options)
    assert "--no-baselines" not in commands(options, "simclr")[0]
    assert "--no-baselines" in commands(options, "emp_ssl")[0]
    table = table_of(options)
    names = ["raw pixels", "untrained encoder", "SimCLR", "EMP-SSL", "EMP-SSL, mean of views"]
    assert list(table) == names
    row = table["SimCLR"]
    assert (row["kNN"], row["linear"], row["1 per class"]) == ("50.0", "60.0", "20.0 ± 1.0")
    assert row["5 per class"] == "-"  # a class had fewer
    assert (row["epochs"], row["training, min"]) == ("3", "0.6")  # 3 of 12 seconds
    assert row["published, ResNet-18"] == "28.2 / 56.5 / 66.3 / 90.7"
    assert "published, ResNet-18" not in table["EMP-SSL"]
    assert table["EMP-SSL, mean of views"]["published, ResNet-18"] == "80.6 / 90.7 / 93.1 / -"
    csv_row = next(row for row in rows_of(options) if row["method"] == "SimCLR")
    assert 0 < float(csv_row["minutes"]) < 1


def test_training_minutes_of_a_resumed_run_include_all_epochs(fakes):
    options = fakes("simclr")
    main(options)
    resumed_part = json.dumps({"epochs": 1, "seconds": 30.0})
    (options.folder / "simclr" / "time.json").write_text(resumed_part)
    main(options)
    assert table_of(options)["SimCLR"]["training, min"] == "1.5"


def test_only_failed_runs_are_repeated(fakes):
    options = fakes("simclr", "byol", "swav")
    options.output.mkdir()
    (options.output / "break_byol").touch()
    (options.output / "kill_swav").touch()
    with pytest.raises(SystemExit, match="Failed: byol, swav"):
        main(options)
    table = table_of(options)
    assert table["BYOL"]["kNN"] == r"failed: ValueError: the \| batch is empty"
    assert table["SwAV"]["kNN"] == "failed: killed by SIGKILL"
    assert table["SimCLR"]["kNN"] == "50.0"
    (options.output / "break_byol").unlink()
    (options.output / "kill_swav").unlink()
    main(options)
    assert [len(commands(options, name)) for name in options.methods] == [1, 2, 2]
    assert table_of(options)["BYOL"]["kNN"] == "50.0"
    assert not any(row["error"] for row in rows_of(options))


def test_a_recipe_that_fails_after_writing_its_results_is_repeated(fakes):
    options = fakes("simclr")
    recipe = methods.ROOT / "recipes" / "simclr.py"
    recipe.write_text(f"{FAKE}\nif len(open(folder / 'ran.txt').readlines()) == 1:\n    1 / 0\n")
    with pytest.raises(SystemExit, match="simclr"):
        main(options)
    assert table_of(options)["SimCLR"]["kNN"].startswith("failed: ZeroDivisionError")
    main(options)
    assert len(commands(options, "simclr")) == 2
    assert table_of(options)["SimCLR"]["kNN"] == "50.0"


def test_a_run_with_another_seed_is_not_reused(fakes):
    options = fakes("simclr")
    main(options)
    main(fakes("simclr", seed=1))
    assert len(commands(options, "simclr")) == 2


def test_the_longest_run_of_equal_epochs_converts_minutes_to_epochs(fakes):
    main(fakes("simclr", "byol"))
    slower = fakes().folder.parent / "30-epochs" / "simclr"
    slower.mkdir(parents=True)
    (slower / "time.json").write_text(json.dumps({"epochs": 30, "seconds": 600}))
    options = fakes("simclr", "byol", epochs=None, minutes=4)
    main(options)
    assert epochs_of(commands(options, "simclr")[0]) == 12  # 20 seconds each
    assert epochs_of(commands(options, "byol")[0]) == 8
    (slower / "time.json").write_text(json.dumps({"epochs": 30, "seconds": 60}))
    (
        options.folder / "simclr" / "results.json"
    ).unlink()  # interrupted: it resumes with the same epochs
    main(options)
    assert epochs_of(commands(options, "simclr")[1]) == 12


def test_without_an_earlier_run_the_second_epoch_converts_minutes_to_epochs(fakes):
    options = fakes("simclr", "swav", "byol", epochs=None, minutes=2.5)
    one_epoch, two_epochs = (fakes("simclr", epochs=epochs) for epochs in (1, 2))
    options.output.mkdir()
    (options.output / "break_byol").touch()
    with pytest.raises(SystemExit, match="byol"):
        main(options)
    assert [epochs_of(commands(run, "simclr")[0]) for run in (one_epoch, two_epochs)] == [1, 2]
    # 72 seconds with compilation, then 12 each: 7.5 epochs, rounded to an even number
    assert epochs_of(commands(options, "simclr")[0]) == 8
    assert (
        epochs_of(commands(options, "swav")[0]) == 1
    )  # the minimum, although an epoch takes longer
    assert table_of(options)["BYOL"]["kNN"].startswith("failed: ValueError: the")


def test_only_the_table_of_the_dataset_and_budget_is_replaced(fakes):
    options = fakes("simclr", epochs=None)
    options.results.write_text("# Results\n\nBefore.\n")
    main(options)
    main(fakes("simclr"))
    main(fakes("simclr", epochs=None, minutes=1))
    text = options.results.read_text()
    assert text.startswith("# Results\n\nBefore.\n\n## All methods on digits\n\n<!-- methods")
    for title in ("digits", "digits equal epochs", "digits equal minutes"):
        assert text.count(f"<!-- methods: {title} -->\n") == 1
    options.results.write_text(text.replace("| SimCLR | 50.0", "| old | 1.0") + "After.\n")
    main(fakes("simclr"))
    again = options.results.read_text()
    assert again.count("| old |") == 2
    assert again.endswith("<!-- end -->\nAfter.\n")
    options.results.write_text("<!-- methods: digits -->\n")
    with pytest.raises(ValueError, match="no '<!-- end -->' after it"):
        main(options)


def test_vision_transformers_are_compared_with_their_untrained_encoders(fakes):
    options = fakes("dino", "mae", encoder="vit_tiny", depth=4)
    main(options)
    assert "<!-- methods: digits vit_tiny depth=4 equal epochs -->" in options.results.read_text()
    names = ["raw pixels", "DINO, untrained", "DINO", "MAE, untrained", "MAE"]
    assert list(table_of(options)) == names
    assert all("--depth 4" in commands(options, name)[0] for name in ("dino", "mae"))
    with pytest.raises(SystemExit, match="mae do not support small_resnet"):
        fakes("mae")


def test_two_budgets_or_an_invalid_one_are_rejected(fakes):
    with pytest.raises(SystemExit, match="two budgets"):
        fakes(minutes=4)
    with pytest.raises(SystemExit, match="--epochs must be above 0, received 0"):
        fakes(epochs=0)


@pytest.mark.slow
def test_the_command_runs_the_recipes(tmp_path):
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n")
    command = [sys.executable, str(COMMAND), "--epochs", "1", "--methods", "simclr", "vicreg"]
    command += ["--output", str(tmp_path / "runs"), "--results", str(results)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    text = results.read_text()
    assert "<!-- methods: digits equal epochs -->" in text
    assert (
        f"    python benchmarks/{shlex.join(command[1:])}".replace(f"{COMMAND.parent}/", "") in text
    )
    for name in ("raw pixels", "untrained encoder", "SimCLR", "VICReg"):
        assert text.count(f"| {name} |") == process.stdout.count(f"| {name} |") == 1
    with open(tmp_path / "runs/digits-small_resnet/1-epochs/results.csv", newline="") as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    for name in ("SimCLR", "VICReg"):
        row = {key: value for key, value in rows[name].items() if key not in TEXTS}
        numbers = {key: float(value) for key, value in row.items()}
        assert all(0 < numbers[share] < 1 for share in methods.methods_table.NUMBERS)
        assert 0 < numbers["training_minutes"] < numbers["minutes"] < 9
        assert numbers["peak_mib"] > 200  # TensorFlow alone takes more
