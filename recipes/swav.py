"""SwAV (Caron et al. 2020, https://arxiv.org/abs/2006.09882).

    python recipes/swav.py                                  # bundled digits
    python recipes/swav.py --dataset cifar10 --epochs 15 --prototypes 512 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
53.2 % linear accuracy after 10 epochs (README of EMP-SSL, Tong et al. 2023,
https://arxiv.org/abs/2304.03977).
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of SwAV.

    Args:
        temperature: Temperature of the predictions. Lower values sharpen them.
        epsilon: Temperature of the assignments. Lower values sharpen them and make collapse less
            likely.
        prototypes: Number of prototypes.
        frozen_epochs: Number of initial epochs in which the prototypes are frozen.
        small_crops: Number of small crops of an image, in addition to two large ones.
    """

    output: Path = Path("runs/swav")
    learning_rate: float = 0.5
    weight_decay: float = 1e-6
    temperature: float = 0.1
    epsilon: float = 0.02
    prototypes: int = 64
    frozen_epochs: int = 1
    small_crops: int = 0


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.swav(image_shape[:2], small_crops=config.small_crops, flip=config.flip)
    model = keras_ssl.SwAV(
        pretraining.encoder(config, image_shape),
        projector=(512, 128),
        prototypes=config.prototypes,
        temperature=config.temperature,
        epsilon=config.epsilon,
        freeze_prototypes_steps=config.frozen_epochs * total_steps // config.epochs,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.sgd(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
