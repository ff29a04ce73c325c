"""Accuracy against training time: one method, ResNet-18 on CIFAR-10, for some minutes.

A stage of `card.py`: prints a row of JSON for each evaluation, and plots them to `race.png`. Views
are made in the training step. The learning rate falls on a cosine of the elapsed time, so that it
ends at 0 at any speed. The accuracy selects nothing: the last weights count.

The time includes the evaluations, and begins when the first step has been compiled. For
comparison, the plot shows the published result of lightly for SimCLR, 200 epochs of the same
network: 84.7 % in 98 minutes on an A6000.
"""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, Literal

import card_data
import keras
import tyro
from card_schedule import CosineByTime, ProbeByTime

import keras_ssl
from keras_ssl import encoders, evaluation, views

LIGHTLY = (98, 84.7)  # minutes and kNN accuracy of SimCLR in lightly's benchmarks on CIFAR-10
# Seconds for what follows the training: the last evaluation, the plot, and for EMP-SSL the features
# of twenty views of each image.
RESERVE, RESERVE_FOR_VIEWS = 15, 60
DEFAULT_SECONDS = 480


@dataclasses.dataclass(frozen=True)
class Race:
    """Options of the stage.

    Args:
        method: Method to train, with the settings of its recipe.
        data: Folder that `card_prepare.py` wrote.
        output: Folder of the plot.
        size: "small" for a rehearsal on a CPU: `small_resnet` and few images.
        minutes: Minutes of training. None for what `deadline` leaves.
        deadline: Time at which the process should end, in seconds since 1970. None for 8 minutes
            from now.
        batch_size: Images of a step. None for 512, or 64 if small.
        probe_seconds: Seconds between two evaluations.
        seed: Seed of the weights, the views and the order of the images.
    """

    method: Literal["simclr", "byol", "vicreg", "emp_ssl"] = "simclr"
    data: Path = Path("prepared")
    output: Path = Path("runs/card")
    size: Literal["full", "small"] = "full"
    minutes: float | None = None
    deadline: float | None = None
    batch_size: int | None = None
    probe_seconds: float = 30
    seed: int = 0

    @property
    def batch(self) -> int:
        """Images of a step. EMP-SSL has twenty views of each image."""
        if self.batch_size:
            return self.batch_size
        return 64 if self.size == "small" else 128 if self.method == "emp_ssl" else 512


def main(race: Race) -> None:
    """Trains, evaluates during training and plots."""
    deadline = race.deadline or time.time() + DEFAULT_SECONDS
    (images, labels), (test_images, test_labels) = card_data.read_parts(race.data)
    num_train, num_test = (2_000, 500) if race.size == "small" else (len(images), len(test_images))
    train = images[:num_train], labels[:num_train]
    test = test_images[:num_test], test_labels[:num_test]
    if race.size == "full":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(race.seed)
    model, optimizer = make(race)
    peak = float(optimizer.learning_rate)
    model.compile(optimizer)

    def seconds():
        reserve = RESERVE_FOR_VIEWS if race.method == "emp_ssl" else RESERVE
        left = max(1.0, deadline - time.time() - reserve)
        return min(left, 60 * race.minutes) if race.minutes else left

    schedule = CosineByTime(peak, seconds)
    probe = ProbeByTime(schedule, lambda: evaluation.knn(model, train, test), race.probe_seconds)
    probe.set_model(model)
    probe.add(0, 0.0, None)  # untrained; it compiles the evaluation before the clock starts
    model.fit(
        train[0],
        batch_size=race.batch,
        epochs=1_000_000,  # `schedule` ends the training
        callbacks=[schedule, probe],
        verbose=0,
    )
    plot(probe.rows, race)
    if race.method == "emp_ssl":  # as its authors evaluate it; it may take longer than there is
        averaged = evaluation.knn(model, train, test, views=model.views)
        print(json.dumps({"knn": 100 * averaged, "features": "mean of views"}), flush=True)


def make(race: Race) -> tuple[keras.Model, keras.optimizers.Optimizer]:
    """Returns the method and its optimizer, with the settings of the recipes."""
    shape, options = (card_data.SIDE, card_data.SIDE, 3), {"seed": race.seed}
    if race.size == "small":
        encoder = encoders.small_resnet(shape)
    else:
        encoder = encoders.resnet18(shape, stem="cifar")
    scale = race.batch / 256
    optimizer = keras.optimizers.SGD(0.12 * scale, momentum=0.9, weight_decay=5e-4)
    if race.method == "simclr":
        options |= {"projector": (512, 512, 128), "temperature": 0.2, "together": True}
        return keras_ssl.SimCLR(encoder, **options), optimizer
    if race.method == "byol":
        options |= {"projector": (1024, 256), "predictor": (1024, 256), "momentum": 0.99}
        return keras_ssl.BYOL(encoder, **options), optimizer
    if race.method == "vicreg":
        optimizer = keras.optimizers.AdamW(1e-3 * scale, weight_decay=1e-4)
        return keras_ssl.VICReg(encoder, projector=(512, 512, 512), **options), optimizer
    options |= {"projector": (512, 256), "views": views.emp_ssl(card_data.SIDE)}
    optimizer = keras.optimizers.SGD(0.06 * scale, momentum=0.9, weight_decay=5e-4)
    return keras_ssl.EMPSSL(encoder, **options), optimizer


def plot(rows: list[dict[str, Any]], race: Race) -> None:
    """Plots accuracy against minutes, if Matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("matplotlib is missing: no plot", flush=True)
        return
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    trained = [row for row in rows if row["epochs"]]
    minutes, accuracies = ([row[key] for row in trained] for key in ("minutes", "knn"))
    axes.plot(minutes, accuracies, "o-", label=f"{race.method} of keras_ssl")
    if race.size == "full":
        axes.plot(*LIGHTLY, "x", color="black", label="SimCLR of lightly, published")
        axes.set_xscale("log")
    axes.set(xlabel="minutes of training", ylabel="kNN accuracy on test images, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(race.output / "race.png", dpi=110)


if __name__ == "__main__":
    main(tyro.cli(Race, description=__doc__))
