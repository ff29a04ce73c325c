"""Comparison of the self-supervised methods: runs their recipes and writes the table.

    python benchmarks/methods.py                            # digits, the defaults of the recipes
    python benchmarks/methods.py --dataset cifar10 --data-dir DIR --epochs 3
    python benchmarks/methods.py --dataset cifar10 --data-dir DIR --minutes 4
    python benchmarks/methods.py --dataset cifar10 --data-dir DIR --encoder vit_tiny --epochs 3

`--encoder vit_tiny` compares the methods for vision transformers.

RESULTS.md gets one table for each dataset and budget. Rerun the same command to resume: it retries
failed runs and keeps complete ones.
"""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Literal

import methods_table
import recipe_runs
import tyro

ROOT = Path(__file__).parents[1]
# Name: title, recipe, options that select the method.
METHODS = {
    "simclr": ("SimCLR", "simclr", {}),
    "moco_v2": ("MoCo v2", "moco", {"version": 2}),
    "moco_v3": ("MoCo v3", "moco", {"version": 3}),
    "nnclr": ("NNCLR", "nnclr", {}),
    "byol": ("BYOL", "byol", {}),
    "simsiam": ("SimSiam", "simsiam", {}),
    "barlow_twins": ("Barlow Twins", "barlow_twins", {}),
    "vicreg": ("VICReg", "vicreg", {}),
    "swav": ("SwAV", "swav", {}),
    "dino": ("DINO", "dino", {}),
    "emp_ssl": ("EMP-SSL", "emp_ssl", {}),
    "supcon": ("SupCon, with all labels", "supcon", {}),
}
ENCODER_OPTIONS = ("patch_size", "width", "depth", "heads", "precision")
# The methods for vision transformers.
TRANSFORMERS = {
    "dino": METHODS["dino"],
    "dinov2": ("DINOv2", "dinov2", {}),
    "mae": ("MAE", "mae", {}),
}
VIT_SETTINGS = {
    "dino": {"batch_size": 128, "teacher_temperature": (0.04, 0.04), "frozen_epochs": 0},
    "dinov2": {"batch_size": 128, "learning_rate": 1e-3, "frozen_epochs": 0},
    "mae": {"batch_size": 128},
}
# Dataset: options that differ from the defaults of the recipes.
SETTINGS = {
    "cifar10": {
        "simclr": {"temperature": 0.2},
        "moco_v2": {"queue_size": 4096},
        "nnclr": {"queue_size": 4096},
        "swav": {"prototypes": 128, "batch_size": 64, "frozen_epochs": 0},
        "dino": {
            "batch_size": 64,
            "learning_rate": 4e-3,
            "teacher_temperature": (0.03, 0.03),
            "frozen_epochs": 0,
        },
        "emp_ssl": {"patch_scale": (0.25, 0.25)},
    }
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the comparison.

    Args:
        dataset: As in the recipes.
        data_dir: As in the recipes.
        encoder: As in the recipes. "vit_tiny" compares the methods for vision transformers.
        patch_size: As in the recipes. MAE, which sees a quarter of the patches, uses half of it.
        width: As in the recipes.
        depth: As in the recipes.
        heads: As in the recipes.
        precision: As in the recipes.
        seed: As in the recipes.
        epochs: Number of epochs of every method. Without `epochs` and `minutes`, the default of
            each recipe.
        minutes: Training time of every method, to the nearest epoch. The time of an epoch comes
            from a run with `--epochs` in the same output, or from runs of one and two epochs.
        methods: Methods to compare. None for all that support the encoder.
        output: Directory of the runs, with a subdirectory for each dataset, encoder and budget.
        results: File of the table.
    """

    dataset: str = "digits"
    data_dir: Path | None = None
    encoder: Literal["small_resnet", "resnet18", "vit_tiny"] = "small_resnet"
    patch_size: int | None = None
    width: int | None = None
    depth: int | None = None
    heads: int | None = None
    precision: str = "float32"
    seed: int = 0
    epochs: int | None = None
    minutes: float | None = None
    methods: tuple[Literal[tuple(METHODS | TRANSFORMERS)], ...] | None = None
    output: Path = Path("runs/methods")
    results: Path = ROOT / "RESULTS.md"

    def __post_init__(self):
        """Rejects invalid budgets, and methods that do not support the encoder."""
        if self.epochs is not None and self.minutes is not None:
            raise SystemExit("--epochs and --minutes are two budgets: pass only one.")
        for name in ("epochs", "minutes"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise SystemExit(f"--{name} must be above 0, received {getattr(self, name)}.")
        if unsupported := set(self.methods or ()) - set(self.known):
            raise SystemExit(
                f"--methods: {', '.join(sorted(unsupported))} do not support {self.encoder}."
            )

    @property
    def known(self):
        """The methods that support the encoder."""
        return TRANSFORMERS if self.encoder.startswith("vit") else METHODS

    @property
    def dataset_name(self):
        """Name of the dataset, or of the directory of images."""
        return Path(self.dataset).name

    @property
    def title(self):
        """Title of the table: dataset, encoder and kind of budget."""
        kind = " equal epochs" if self.epochs else " equal minutes" if self.minutes else ""
        encoder = [self.encoder] * (self.known is TRANSFORMERS)
        return " ".join([self.dataset_name, *encoder, *self.variant.split()]) + kind

    @property
    def variant(self):
        """Encoder options that differ from their defaults."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in ENCODER_OPTIONS}
        changed = {name: value for name, value in values.items() if value != defaults[name]}
        return " ".join(f"{name}={value}" for name, value in changed.items())

    @property
    def folder(self):
        """Directory of all runs with this dataset, encoder and budget."""
        budget = f"{self.minutes:g}-minutes" if self.minutes else "own-epochs"
        budget = f"{self.epochs}-epochs" if self.epochs else budget
        encoder = "-".join([self.dataset_name, self.encoder, *self.variant.split()])
        return self.output / encoder / budget


def main(options):
    """Runs what is missing, then prints and writes the table."""
    errors = {}
    names = options.methods or tuple(options.known)
    for name in names:
        try:
            epochs = epochs_in_budget(name, options) if options.minutes else options.epochs
            run(name, options, epochs)
        except recipe_runs.RecipeError as error:
            errors[name] = str(error)
            print(f"    failed: {error}", flush=True)
    titles = {name: options.known[name][0] for name in names}
    is_vit = options.known is TRANSFORMERS
    rows = methods_table.read_rows(options.folder, titles, errors, each_untrained=is_vit)
    methods_table.write_csv(rows, options.folder / "results.csv")
    command = shlex.join(["python", "benchmarks/methods.py", *sys.argv[1:]])
    text = methods_table.section(options.title, rows, command)
    methods_table.put(text, options.title, options.results)
    print(f"\n{text}\n\nWritten to {options.results} and {options.folder / 'results.csv'}.")
    if errors:
        raise SystemExit(f"Failed: {', '.join(errors)}. See log.txt in their directories.")


def run(name, options, epochs):
    """Runs the recipe of a method in a subprocess, unless its run is complete.

    Raw pixels and the untrained encoder are evaluated once in each `options.folder`. Vision
    transformers are built differently for each method, so they are evaluated for each.

    Args:
        name: Key of `options.known`.
        options: `Options`. The run is in their `folder`.
        epochs: Int, or None for the default of the recipe.

    Raises:
        RecipeError: If the recipe fails.
    """
    _, recipe, method_settings = options.known[name]
    is_vit = options.known is TRANSFORMERS
    all_settings = VIT_SETTINGS if is_vit else SETTINGS.get(options.dataset_name, {})
    settings = method_settings | all_settings.get(name, {})
    recipe_options = {"dataset": options.dataset, "seed": options.seed, "encoder": options.encoder}
    recipe_options |= {"epochs": epochs} if epochs else {}
    recipe_options |= {option: getattr(options, option) for option in ENCODER_OPTIONS}
    if name == "mae" and options.patch_size:
        recipe_options["patch_size"] = -(-options.patch_size // 2)
    flags = ["--data-dir", str(options.data_dir)] if options.data_dir else []
    if methods_table.read_baselines(options.folder) and not is_vit:
        flags.append("--no-baselines")
    encoder = options.encoder + (f" with {options.variant}" if options.variant else "")
    notes = {"seed": options.seed, "encoder": encoder, "settings": settings}
    recipe_runs.run(
        ROOT / "recipes" / f"{recipe}.py",
        options.folder / name,
        recipe_options | settings,
        flags,
        notes,
    )


def epochs_in_budget(name, options):
    """Returns the number of epochs of a method that takes closest to `minutes`, at least 1."""
    config = methods_table.read(options.folder / name / "config.json")
    if config:  # an interrupted run resumes with the same number of epochs
        return config["epochs"]
    runs = options.folder.parent.glob(f"[0-9]*-epochs/{name}/time.json")
    times = {run["epochs"]: run["seconds"] for run in map(methods_table.read, runs)}
    if max(times, default=0) > 2:
        epochs = max(times)
        return max(1, round(options.minutes * 60 * epochs / times[epochs]))
    # On a GPU the first epoch may take many times as long as the second, for its compilation.
    first, both = (seconds_of_epochs(name, options, epochs) for epochs in (1, 2))
    second = both - first if both > first else both / 2
    return max(1, round(1 + (options.minutes * 60 - first) / second))


def seconds_of_epochs(name, options, epochs):
    """Returns the training time of a run with a number of epochs, which runs if it is missing."""
    short = dataclasses.replace(options, epochs=epochs, minutes=None)
    run(name, short, epochs)
    return methods_table.read(short.folder / name / "time.json")["seconds"]


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
