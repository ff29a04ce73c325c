"""SoftMatch (Chen et al. 2023, https://arxiv.org/abs/2301.10921).

    python recipes/softmatch.py                         # bundled digits, 4 labels per class
    python recipes/softmatch.py --dataset cifar10 --encoder wide_resnet \
        --labels-per-class 25 --epochs 9450 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --weight-momentum 0.999 --output runs/softmatch_cifar10

Results on digits: RESULTS.md. The second command has the settings of the paper, 2^20 steps, which
takes weeks on a CPU.
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of SoftMatch.

    Args:
        n_sigma: Divisor of the running standard deviation of the confidence, in the Gaussian weight
            of images below the mean confidence.
        weight_momentum: Momentum of the running means. The paper uses 0.999, in runs that are a
            thousand times as long.
    """

    output: Path = Path("runs/softmatch")
    n_sigma: float = 2.0
    weight_momentum: float = 0.99


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    model = keras_ssl.SoftMatch(
        semi_supervised.classifier(config, image_shape, num_classes),
        n_sigma=config.n_sigma,
        weight_momentum=config.weight_momentum,
        ema_momentum=config.ema_momentum,
        seed=config.seed,
    )
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    return model, semi_supervised.views(config, image_shape)


if __name__ == "__main__":
    semi_supervised.main(Config, build)
