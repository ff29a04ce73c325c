"""Dash (Xu et al. 2021, http://proceedings.mlr.press/v139/xu21e.html).

    python recipes/dash.py                              # bundled digits, 4 labels per class
    python recipes/dash.py --dataset cifar10 --encoder wide_resnet \
        --labels-per-class 25 --epochs 9450 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --warmup 0.00977 --decay-interval 0.00879 \
        --output runs/dash_cifar10

Results on digits: RESULTS.md. The second command has the settings of the authors' code, 2^20
steps, which takes weeks on a CPU.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import keras_ssl
from keras_ssl.recipes import semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of Dash.

    Args:
        initial_threshold: Images whose mean loss at the end of the warmup is the initial threshold.
        warmup: Fraction of the run in which all images are selected. The authors' code uses
            10 / 1024, which is too short for a run of hundreds of steps.
        decay_interval: Fraction of the run between two decays of the threshold. The authors' code
            uses 9 / 1024.
        decay: Divisor of the threshold at each decay.
        min_threshold: Lowest threshold. Pseudo-labels are hard once it is reached.
        temperature: Temperature of the soft pseudo-labels before that.
    """

    output: Path = Path("runs/dash")
    initial_threshold: Literal["unlabeled", "labeled"] = "unlabeled"
    warmup: float = 0.1
    decay_interval: float = 0.05
    decay: float = 1.27
    min_threshold: float = 0.05
    temperature: float = 0.5


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    model = keras_ssl.Dash(
        semi_supervised.classifier(config, image_shape, num_classes),
        initial_threshold=config.initial_threshold,
        warmup=config.warmup,
        decay_interval=config.decay_interval,
        decay=config.decay,
        min_threshold=config.min_threshold,
        temperature=config.temperature,
        ema_momentum=config.ema_momentum,
        seed=config.seed,
    )
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    return model, semi_supervised.views(config, image_shape)


if __name__ == "__main__":
    semi_supervised.main(Config, build)
