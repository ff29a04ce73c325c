"""All methods side by side: runs their recipes one after the other, and writes the table.

python benchmarks/methods.py                                          # digits, recipes as they are
python benchmarks/methods.py --dataset cifar10 --data-dir DIR --epochs 3
python benchmarks/methods.py --dataset cifar10 --data-dir DIR --minutes 4
python benchmarks/methods.py --dataset cifar10 --data-dir DIR --encoder vit_tiny --epochs 3

With `--encoder vit_tiny` those methods are compared that are of vision transformers.

The table goes to RESULTS.md, one for each data set and budget. The same command again goes on where
a stopped one ended, and tries again what failed; a run that is complete stays as it is.
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
# Name: title, recipe, settings that make the method.
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
OF_RUNS = ("patch_size", "width", "depth", "heads", "precision")  # passed on as they are
# Those of vision transformers, which are compared where the encoder is one.
TRANSFORMERS = {
    "dino": METHODS["dino"],
    "dinov2": ("DINOv2", "dinov2", {}),
    "mae": ("MAE", "mae", {}),
}
ON_VIT = {
    "dino": {"batch_size": 128, "teacher_temperature": (0.04, 0.04), "frozen_epochs": 0},
    "dinov2": {"batch_size": 128, "learning_rate": 1e-3, "frozen_epochs": 0},
    "mae": {"batch_size": 128},
}
# Data set: settings that differ on it from the recipe's own.
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
    """What to compare, and how long to train.

    Args:
        dataset: As in the recipes.
        data_dir: As in the recipes.
        encoder: As in the recipes; with "vit_tiny" the methods of vision transformers.
        patch_size: As in the recipes; for MAE, which sees a quarter of the patches, half of it.
        width: As in the recipes.
        depth: As in the recipes.
        heads: As in the recipes.
        precision: As in the recipes.
        seed: As in the recipes.
        epochs: The same number for every method. Without epochs and minutes each recipe's own.
        minutes: The same minutes of training for every method, to the nearest epoch. What an epoch
            takes is read from a run with `--epochs` in this output, or else one epoch is run first.
        methods: Which to compare; all that go with the encoder, if not given.
        output: Folder for the runs; each data set, encoder and budget has a folder in it.
        results: File to write the table to.
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
        """Refuses what is no budget, and methods that do not go with the encoder."""
        if self.epochs is not None and self.minutes is not None:
            raise SystemExit("--epochs and --minutes are two budgets: give one of them.")
        for name in ("epochs", "minutes"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise SystemExit(f"--{name} must be above 0, received {getattr(self, name)}.")
        if other := set(self.methods or ()) - set(self.known):
            raise SystemExit(f"--methods: {', '.join(other)} do not go with {self.encoder}.")

    @property
    def known(self):
        """The methods that go with the encoder."""
        return TRANSFORMERS if self.encoder.startswith("vit") else METHODS

    @property
    def dataset_name(self):
        """The data set; of a folder of images its own name."""
        return Path(self.dataset).name

    @property
    def title(self):
        """What the table is called: data set and kind of budget."""
        kind = " equal epochs" if self.epochs else " equal minutes" if self.minutes else ""
        encoder = [self.encoder] * (self.known is TRANSFORMERS)
        return " ".join([self.dataset_name, *encoder, *self.variant.split()]) + kind

    @property
    def variant(self):
        """What differs from the encoder's usual size, patch and precision."""
        fields = [field for field in dataclasses.fields(self) if field.name in OF_RUNS]
        given = {
            x.name: getattr(self, x.name) for x in fields if getattr(self, x.name) != x.default
        }
        return " ".join(f"{name}={value}" for name, value in given.items())

    @property
    def folder(self):
        """Folder of all runs of this data set, encoder and budget."""
        budget = f"{self.minutes:g}-minutes" if self.minutes else "own-epochs"
        budget = f"{self.epochs}-epochs" if self.epochs else budget
        encoder = "-".join([self.dataset_name, self.encoder, *self.variant.split()])
        return self.output / encoder / budget


def main(options):
    """Runs what is not there yet, then prints the table and writes it."""
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
    print(f"\n{text}\n\nIn {options.results}, and as {options.folder / 'results.csv'}.")
    if errors:
        raise SystemExit(f"Failed: {', '.join(errors)}. See log.txt in their folders.")


def run(name, options, epochs):
    """Runs a method's recipe in a process of its own, unless its run is complete.

    Raw pixels and the untrained encoder are measured once in each `options.folder`; for
    transformers, whose features differ, with each method.

    Args:
        name: Key of `options.known`.
        options: `Options`, whose `folder` holds the run.
        epochs: Int, or None for the recipe's own.

    Raises:
        RecipeError: If the recipe fails.
    """
    _, recipe, own = options.known[name]
    is_vit = options.known is TRANSFORMERS
    settings = {
        **own,
        **(ON_VIT if is_vit else SETTINGS.get(options.dataset_name, {})).get(name, {}),
    }
    wanted = {"dataset": options.dataset, "seed": options.seed, "encoder": options.encoder}
    wanted |= {"epochs": epochs} if epochs else {}
    wanted |= {option: getattr(options, option) for option in OF_RUNS}
    if name == "mae" and options.patch_size:
        wanted["patch_size"] = -(-options.patch_size // 2)
    flags = ["--data-dir", str(options.data_dir)] if options.data_dir else []
    if methods_table.read_baselines(options.folder) and not is_vit:  # whose features differ
        flags.append("--no-baselines")
    encoder = options.encoder + (f" with {options.variant}" if options.variant else "")
    noted = {"seed": options.seed, "encoder": encoder, "settings": settings}
    recipe_runs.run(
        ROOT / "recipes" / f"{recipe}.py", options.folder / name, wanted | settings, flags, noted
    )


def epochs_in_budget(name, options):
    """Finds how many epochs of a method the minutes are nearest to; 1 at least."""
    begun = methods_table.read(options.folder / name / "config.json")
    if begun:  # a stopped run goes on as it began
        return begun["epochs"]
    runs = options.folder.parent.glob(f"[0-9]*-epochs/{name}/time.json")
    timed = max(
        (methods_table.read(file) for file in runs), default=None, key=lambda t: t["epochs"]
    )
    if timed is None:
        once = dataclasses.replace(options, epochs=1, minutes=None)
        run(name, once, 1)
        timed = methods_table.read(once.folder / name / "time.json")
    return max(1, round(options.minutes * 60 * timed["epochs"] / timed["seconds"]))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
