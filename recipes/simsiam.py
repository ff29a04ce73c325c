"""SimSiam (Chen and He 2020, https://arxiv.org/abs/2011.10566).

    python recipes/simsiam.py                               # bundled digits
    python recipes/simsiam.py --dataset cifar10 --epochs 15 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
90.5 % after 1000 epochs (README of solo-learn, online linear probe).
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of SimSiam.

    Args:
        constant_predictor_rate: Keep the learning rate of the predictor constant.
    """

    output: Path = Path("runs/simsiam")
    learning_rate: float = 0.3
    constant_predictor_rate: bool = True


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.simsiam(image_shape[:2], flip=config.flip)
    predictor_rate = config.peak_learning_rate if config.constant_predictor_rate else None
    model = keras_ssl.SimSiam(
        pretraining.encoder(config, image_shape),
        projector=(512, 512),
        predictor=(128, 512),
        predictor_learning_rate=predictor_rate,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.sgd(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
