"""Comparison of the semi-supervised methods: runs their recipes and writes the table and curves.

    python benchmarks/few_labels.py                         # digits: 1, 2 and 4 labels per class
    python benchmarks/few_labels.py --dataset fashion_mnist --data-dir DIR \
        --labels-per-class 4 25 --epochs 20

Each cell is the mean and the standard deviation over label seeds of the test accuracy of the final
EMA weights. The table goes to RESULTS.md, the curves to the directory of the runs. Rerun the same
command to resume.
"""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Literal

import few_labels_table
import methods_table
import recipe_runs
import tyro

ROOT = Path(__file__).parents[1]
# Name: title, recipe, whether it starts from a pretrained encoder.
METHODS = {
    "supervised": ("labels alone", "supervised", False),
    "pseudo_label": ("Pseudo-Label", "pseudo_label", False),
    "mean_teacher": ("mean teacher", "mean_teacher", False),
    "uda": ("UDA", "uda", False),
    "fixmatch": ("FixMatch", "fixmatch", False),
    "dash": ("Dash", "dash", False),
    "flexmatch": ("FlexMatch", "flexmatch", False),
    "freematch": ("FreeMatch", "freematch", False),
    "softmatch": ("SoftMatch", "softmatch", False),
    "adamatch": ("AdaMatch", "adamatch", False),
    "pretrained_supervised": ("labels alone, from SimCLR", "supervised", True),
    "pretrained_fixmatch": ("FixMatch, from SimCLR", "fixmatch", True),
}
TRAINING_OPTIONS = (
    "epochs",
    "batch_size",
    "unlabeled_ratio",
    "ema_momentum",
    "learning_rate",
    "probe_every",
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the comparison.

    Args:
        dataset: As in the recipes.
        data_dir: As in the recipes.
        encoder: As in the recipes.
        labels_per_class: Numbers of labels per class to compare.
        label_seeds: Number of label seeds, 0, 1, 2 ...
        seed: As in the recipes.
        epochs: As in the recipes. None for their default, also below.
        batch_size: As in the recipes.
        unlabeled_ratio: As in the recipes.
        ema_momentum: As in the recipes.
        learning_rate: As in the recipes.
        probe_every: Number of epochs between two points of the curves.
        pretrain_epochs: Epochs of SimCLR for the methods that start from it. None for the default
            of its recipe.
        methods: Methods to compare.
        output: Directory of the runs, with a subdirectory for each dataset and encoder.
        results: File of the table.
    """

    dataset: str = "digits"
    data_dir: Path | None = None
    encoder: str = "small_resnet"
    labels_per_class: tuple[int, ...] = (1, 2, 4)
    label_seeds: int = 5
    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    unlabeled_ratio: int | None = None
    ema_momentum: float | None = None
    learning_rate: float | None = None
    probe_every: int | None = None
    pretrain_epochs: int | None = None
    methods: tuple[Literal[tuple(METHODS)], ...] = tuple(METHODS)
    output: Path = Path("runs/few_labels")
    results: Path = ROOT / "RESULTS.md"

    @property
    def folder(self):
        """Directory of all runs with this dataset and encoder."""
        return self.output / f"{Path(self.dataset).name}-{self.encoder}"

    @property
    def shared(self):
        """Options of all runs."""
        return {"dataset": self.dataset, "seed": self.seed, "encoder": self.encoder}


def main(options):
    """Runs what is missing, then prints and writes the table."""
    errors = []
    for labels_per_class in options.labels_per_class:
        for label_seed in range(options.label_seeds):
            for name in options.methods:
                try:
                    run(name, options, labels_per_class, label_seed)
                except recipe_runs.RecipeError as error:
                    errors.append(f"{name}, {labels_per_class} per class, label seed {label_seed}")
                    print(f"    failed: {error}", flush=True)
    titles = {name: METHODS[name][0] for name in options.methods}
    folders = {
        (name, labels_per_class): [
            run_folder(options, name, labels_per_class, seed) for seed in range(options.label_seeds)
        ]
        for name in options.methods
        for labels_per_class in options.labels_per_class
    }
    command = shlex.join(["python", "benchmarks/few_labels.py", *sys.argv[1:]])
    text = few_labels_table.section(folders, titles, options.labels_per_class, command)
    title = f"few labels, {Path(options.dataset).name}"
    heading = f"Few labels on {Path(options.dataset).name}"
    methods_table.put(text, title, options.results, heading)
    curves_file = options.folder / "curves.png"
    few_labels_table.plot_curves(folders, titles, options.labels_per_class, curves_file)
    print(f"\n{text}\n\nWritten to {options.results}; curves in {curves_file}.")
    if errors:
        raise SystemExit(f"Failed: {'; '.join(errors)}. See log.txt in their directories.")


def run_folder(options, name, labels_per_class, label_seed):
    """Returns the directory of one run."""
    return options.folder / name / f"{labels_per_class}-per-class-{label_seed}"


def run(name, options, labels_per_class, label_seed):
    """Runs a recipe, after SimCLR if the method starts from it.

    Raises:
        RecipeError: If a recipe fails.
    """
    _, recipe, from_pretrained = METHODS[name]
    recipe_options = {
        **options.shared,
        "labels_per_class": labels_per_class,
        "label_seed": label_seed,
    }
    for option in TRAINING_OPTIONS:
        if getattr(options, option) is not None:
            recipe_options[option] = getattr(options, option)
    if from_pretrained:
        recipe_options["pretrained"] = pretrain(options)
    recipe_runs.run(
        ROOT / "recipes" / f"{recipe}.py",
        run_folder(options, name, labels_per_class, label_seed),
        recipe_options,
        flags(options),
    )


def pretrain(options):
    """Runs SimCLR on all images unless it has run, and returns the path of its model."""
    folder = options.folder / "simclr"
    epochs = {} if options.pretrain_epochs is None else {"epochs": options.pretrain_epochs}
    recipe_runs.run(
        ROOT / "recipes" / "simclr.py",
        folder,
        {**options.shared, **epochs},
        [*flags(options), "--no-baselines"],
    )
    return folder / "model.keras"


def flags(options):
    """Returns the words of a command that do not identify a run."""
    return ["--data-dir", str(options.data_dir)] if options.data_dir else []


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
