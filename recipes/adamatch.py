"""AdaMatch (Berthelot et al. 2021, https://arxiv.org/abs/2106.04732).

    python recipes/adamatch.py                          # bundled digits, 4 labels per class
    python recipes/adamatch.py --dataset cifar10 --encoder wide_resnet \
        --labels-per-class 25 --epochs 9450 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --output runs/adamatch_cifar10

Results on digits: RESULTS.md. The second command has the settings of the paper, 2^20 steps, which
takes weeks on a CPU.
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of AdaMatch.

    Args:
        threshold: Confidence threshold, relative to the mean confidence on labeled images.
        warmup: Fraction of the run over which the weight of the unlabeled images rises.
    """

    output: Path = Path("runs/adamatch")
    threshold: float = 0.9
    warmup: float = 0.5


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    model = keras_ssl.AdaMatch(
        semi_supervised.classifier(config, image_shape, num_classes),
        threshold=config.threshold,
        warmup=config.warmup,
        ema_momentum=config.ema_momentum,
        seed=config.seed,
    )
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    return model, semi_supervised.views(config, image_shape)


if __name__ == "__main__":
    semi_supervised.main(Config, build)
