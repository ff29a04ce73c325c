"""SupCon (Khosla et al. 2020, https://arxiv.org/abs/2004.11362), which trains on labels.

    python recipes/supcon.py                                # bundled digits
    python recipes/supcon.py --dataset cifar10 --epochs 15 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
93.8 % after 1000 epochs (README of solo-learn, online linear probe).
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of SupCon.

    Args:
        temperature: Lower values put more weight on the nearest images.
    """

    output: Path = Path("runs/supcon")
    temperature: float = 0.1


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.simclr(image_shape[:2], flip=config.flip)
    model = keras_ssl.SupCon(
        pretraining.encoder(config, image_shape),
        projector=(512, 128),
        temperature=config.temperature,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.sgd(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
