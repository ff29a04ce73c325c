"""VICReg (Bardes et al. 2021, https://arxiv.org/abs/2105.04906).

    python recipes/vicreg.py                                # bundled digits
    python recipes/vicreg.py --dataset cifar10 --epochs 15 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
69.7 % linear accuracy after 10 epochs (README of EMP-SSL, Tong et al. 2023,
https://arxiv.org/abs/2304.03977).
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of VICReg."""

    output: Path = Path("runs/vicreg")
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.vicreg(image_shape[:2], flip=config.flip)
    model = keras_ssl.VICReg(
        pretraining.encoder(config, image_shape),
        projector=(512, 512, 512),
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.adamw(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
