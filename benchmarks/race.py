"""Accuracy against training time: one method, ResNet-18 on CIFAR-10.

    python benchmarks/race.py --data-dir DIR --minutes 9 --precision mixed_bfloat16
    KERAS_BACKEND=jax python benchmarks/race.py --data-dir DIR --method vicreg --minutes 9

A run of one epoch determines how many epochs fit; the recipe then runs with that many, and its
learning rate falls to 0 at the end. The plot shows the kNN accuracy on test images against the
minutes of training. The accuracy selects nothing: the final weights count. For comparison, the
plot shows the published result of lightly for SimCLR, 200 epochs of the same network: 84.7 % in 98
minutes on an A6000.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import methods
import methods_table
import tyro

from keras_ssl import callbacks

LIGHTLY = (98, 84.7)  # minutes and kNN accuracy of SimCLR in lightly's benchmarks on CIFAR-10


@dataclasses.dataclass(frozen=True)
class Race:
    """Options of the run.

    Args:
        method: Method to train.
        minutes: Training time, to the nearest epoch.
        dataset: As in the recipes.
        data_dir: As in the recipes.
        encoder: As in the recipes.
        precision: As in the recipes.
        seed: As in the recipes.
        output: Directory of the run, the table and the plot.
    """

    method: Literal["simclr", "vicreg"] = "simclr"
    minutes: float = 9
    dataset: str = "cifar10"
    data_dir: Path | None = None
    encoder: Literal["small_resnet", "resnet18"] = "resnet18"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    seed: int = 0
    output: Path = Path("runs/race")


def main(race):
    """Trains, prints the table and plots it."""
    shared = {name: getattr(race, name) for name in vars(race) if name not in ("method", "output")}
    race.output.mkdir(parents=True, exist_ok=True)
    options = methods.Options(
        methods=(race.method,), output=race.output, results=race.output / "table.md", **shared
    )
    methods.main(options)
    folder = options.folder / race.method
    history = callbacks.read_history(folder / "history.csv")
    time = methods_table.read(folder / "time.json")
    minutes = time["seconds"] / 60 / time["epochs"]
    points = [
        (minutes * epoch, 100 * float(accuracy)) for epoch, accuracy in knn_accuracies(history)
    ]
    print(f"| minutes of training | kNN, % |\n| --- | --- |\n{rows(points)}")
    plot_file = race.output / f"{race.method}.png"
    plot(points, options.known[race.method][0], race, plot_file)
    print(f"\nOn {methods_table.machine()}. Plot: {plot_file}.")


def knn_accuracies(history):
    """Yields pairs of finished epochs and accuracy, for epochs with one."""
    for epoch, accuracy in zip(history["epoch"], history["knn_accuracy"], strict=True):
        if accuracy is not None and accuracy == accuracy:
            yield int(epoch) + 1, accuracy


def rows(points):
    """Returns the Markdown of the points."""
    return "\n".join(f"| {minutes:.1f} | {accuracy:.1f} |" for minutes, accuracy in points)


def plot(points, title, race, file):
    """Plots accuracy against minutes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*points, strict=True), "o-", label=f"{title}, {race.encoder}")
    if race.dataset == "cifar10" and race.encoder == "resnet18":
        axes.plot(*LIGHTLY, "x", color="black", label="SimCLR of lightly, published")
        axes.set_xscale("log")
    axes.set(xlabel="minutes of training", ylabel="kNN accuracy on test images, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main(tyro.cli(Race, description=__doc__))
