"""SimCLR (Chen et al. 2020, https://arxiv.org/abs/2002.05709).

    python recipes/simclr.py                                # bundled digits
    python recipes/simclr.py --dataset cifar10 --epochs 15 --temperature 0.2 --output runs/cifar10
    python recipes/simclr.py --dataset path/to/images --image-size 64 --output runs/mine

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
56.5 % linear accuracy after 10 epochs (README of EMP-SSL, Tong et al. 2023,
https://arxiv.org/abs/2304.03977).
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of SimCLR.

    Args:
        temperature: Lower values put more weight on hard negatives.
    """

    output: Path = Path("runs/simclr")
    temperature: float = 0.5


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.simclr(image_shape[:2], flip=config.flip)
    model = keras_ssl.SimCLR(
        pretraining.encoder(config, image_shape),
        projector=(512, 512, 128),
        temperature=config.temperature,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.sgd(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
