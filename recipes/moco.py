"""MoCo v2 (Chen et al. 2020, https://arxiv.org/abs/2003.04297) and MoCo v3
(Chen et al. 2021, https://arxiv.org/abs/2104.02057).

    python recipes/moco.py                                  # bundled digits
    python recipes/moco.py --dataset cifar10 --epochs 15 --queue-size 4096 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
92.9 % (version 2) and 93.1 % (version 3) after 1000 epochs (README of solo-learn, online linear
probe).
"""

import dataclasses
from pathlib import Path
from typing import Literal

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of MoCo.

    Args:
        temperature: Lower values put more weight on hard negatives.
        momentum: Momentum of the EMA encoder.
        version: 2 with a queue of negatives, 3 without.
        queue_size: Number of keys in the queue of version 2.
    """

    output: Path = Path("runs/moco")
    temperature: float = 0.2
    momentum: float = 0.99
    version: Literal[2, 3] = 2
    queue_size: int = 1024


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    make_views = keras_ssl.views.simsiam if config.version == 2 else keras_ssl.views.byol
    views = make_views(image_shape[:2], flip=config.flip)
    model = keras_ssl.MoCo(
        pretraining.encoder(config, image_shape),
        version=config.version,
        projector=(512, 128),
        temperature=config.temperature,
        momentum=config.momentum,
        queue_size=config.queue_size if config.version == 2 else None,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.sgd(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
