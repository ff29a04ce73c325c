"""Barlow Twins (Zbontar et al. 2021, https://arxiv.org/abs/2103.03230).

    python recipes/barlow_twins.py                          # bundled digits
    python recipes/barlow_twins.py --dataset cifar10 --epochs 15 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
92.1 % after 1000 epochs (README of solo-learn, online linear probe).
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of Barlow Twins.

    Args:
        redundancy_weight: Weight of the off-diagonal correlations, lambda in the paper.
    """

    output: Path = Path("runs/barlow_twins")
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    redundancy_weight: float = 0.0051


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.barlow_twins(image_shape[:2], flip=config.flip)
    model = keras_ssl.BarlowTwins(
        pretraining.encoder(config, image_shape),
        projector=(512, 512, 512),
        redundancy_weight=config.redundancy_weight,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.adamw(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
