"""BYOL (Grill et al. 2020, https://arxiv.org/abs/2006.07733).

    python recipes/byol.py                                  # bundled digits
    python recipes/byol.py --dataset cifar10 --epochs 15 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
48.9 % linear accuracy after 10 epochs (README of EMP-SSL, Tong et al. 2023,
https://arxiv.org/abs/2304.03977).
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of BYOL.

    Args:
        momentum: Initial momentum of the EMA encoder. It rises on a cosine to 1.
    """

    output: Path = Path("runs/byol")
    momentum: float = 0.99


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.byol(image_shape[:2], flip=config.flip)
    model = keras_ssl.BYOL(
        pretraining.encoder(config, image_shape),
        projector=(1024, 256),
        predictor=(1024, 256),
        momentum=keras_ssl.schedules.CosineMomentum(config.momentum, total_steps),
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.sgd(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
