"""FlexMatch (Zhang et al. 2021, https://arxiv.org/abs/2110.08263).

    python recipes/flexmatch.py                         # bundled digits, 4 labels per class
    python recipes/flexmatch.py --dataset cifar10 --encoder wide_resnet \
        --labels-per-class 25 --epochs 9450 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --output runs/flexmatch_cifar10

Results on digits: RESULTS.md. The second command has the settings of the paper, 2^20 steps, which
takes weeks on a CPU.
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of FlexMatch.

    Args:
        threshold: Highest threshold of a class, and the confidence that counts an image as learned.
    """

    output: Path = Path("runs/flexmatch")
    threshold: float = 0.95


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    model = keras_ssl.FlexMatch(
        semi_supervised.classifier(config, image_shape, num_classes),
        threshold=config.threshold,
        ema_momentum=config.ema_momentum,
        seed=config.seed,
    )
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    return model, semi_supervised.views(config, image_shape)


if __name__ == "__main__":
    semi_supervised.main(Config, build)
