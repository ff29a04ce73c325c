"""UDA (Xie et al. 2019, https://arxiv.org/abs/1904.12848).

    python recipes/uda.py                               # bundled digits, 4 labels per class
    python recipes/uda.py --dataset cifar10 --encoder wide_resnet \
        --labels-per-class 25 --epochs 9450 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --output runs/uda_cifar10

Results on digits: RESULTS.md. The second command has the settings of the paper, 2^20 steps, which
takes weeks on a CPU.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import keras_ssl
from keras_ssl.recipes import semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of UDA.

    Args:
        temperature: Temperature of the targets.
        threshold: Confidence threshold of the targets.
        signal_annealing: Schedule that releases confident labeled images into the loss.
    """

    output: Path = Path("runs/uda")
    temperature: float = 0.4
    threshold: float = 0.8
    signal_annealing: Literal["none", "linear", "log", "exp"] = "none"


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    model = keras_ssl.UDA(
        semi_supervised.classifier(config, image_shape, num_classes),
        temperature=config.temperature,
        threshold=config.threshold,
        signal_annealing=config.signal_annealing,
        ema_momentum=config.ema_momentum,
        seed=config.seed,
    )
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    return model, semi_supervised.views(config, image_shape)


if __name__ == "__main__":
    semi_supervised.main(Config, build)
