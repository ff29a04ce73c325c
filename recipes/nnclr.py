"""NNCLR (Dwibedi et al. 2021, https://arxiv.org/abs/2104.14548).

    python recipes/nnclr.py                                 # bundled digits
    python recipes/nnclr.py --dataset cifar10 --epochs 15 --queue-size 4096 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
91.9 % after 1000 epochs (README of solo-learn, online linear probe).
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of NNCLR.

    Args:
        temperature: Lower values put more weight on hard negatives.
        queue_size: Number of past projections in the queue.
    """

    output: Path = Path("runs/nnclr")
    temperature: float = 0.1
    queue_size: int = 1024


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.byol(image_shape[:2], flip=config.flip)
    model = keras_ssl.NNCLR(
        pretraining.encoder(config, image_shape),
        projector=(512, 512, 256),
        predictor=(1024, 256),
        temperature=config.temperature,
        queue_size=config.queue_size,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.sgd(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
