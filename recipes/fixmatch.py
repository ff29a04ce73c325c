"""FixMatch (Sohn et al. 2020, https://arxiv.org/abs/2001.07685).

    python recipes/fixmatch.py                          # bundled digits, 4 labels per class
    python recipes/fixmatch.py --dataset cifar10 --encoder wide_resnet \
        --labels-per-class 25 --epochs 9450 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --output runs/fixmatch_cifar10

Results on digits: RESULTS.md. The second command has the settings of the paper, 2^20 steps, which
takes weeks on a CPU. The paper reports 94.93 % with it.
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of FixMatch.

    Args:
        threshold: Confidence threshold of the pseudo-labels.
    """

    output: Path = Path("runs/fixmatch")
    threshold: float = 0.95


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    model = keras_ssl.FixMatch(
        semi_supervised.classifier(config, image_shape, num_classes),
        threshold=config.threshold,
        ema_momentum=config.ema_momentum,
        seed=config.seed,
    )
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    return model, semi_supervised.views(config, image_shape)


if __name__ == "__main__":
    semi_supervised.main(Config, build)
