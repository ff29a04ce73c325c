"""FreeMatch (Wang et al. 2022, https://arxiv.org/abs/2205.07246).

    python recipes/freematch.py                         # bundled digits, 4 labels per class
    python recipes/freematch.py --dataset cifar10 --encoder wide_resnet \
        --labels-per-class 25 --epochs 9450 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --threshold-momentum 0.999 --output runs/freematch_cifar10

Results on digits: RESULTS.md. The second command has the settings of the paper, 2^20 steps, which
takes weeks on a CPU.
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of FreeMatch.

    Args:
        threshold_momentum: Momentum of the running means. The paper uses 0.999, in runs that are a
            thousand times as long.
        fairness_weight: Weight of the fairness term.
    """

    output: Path = Path("runs/freematch")
    threshold_momentum: float = 0.99
    fairness_weight: float = 0.001


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    model = keras_ssl.FreeMatch(
        semi_supervised.classifier(config, image_shape, num_classes),
        threshold_momentum=config.threshold_momentum,
        fairness_weight=config.fairness_weight,
        ema_momentum=config.ema_momentum,
        seed=config.seed,
    )
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    return model, semi_supervised.views(config, image_shape)


if __name__ == "__main__":
    semi_supervised.main(Config, build)
