"""DINO (Caron et al. 2021, https://arxiv.org/abs/2104.14294).

    python recipes/dino.py                                  # bundled digits
    python recipes/dino.py --dataset cifar10 --output runs/cifar10

Results: RESULTS.md. Published for a ResNet-18 on CIFAR-10, a far larger encoder than the default:
89.5 % after 1000 epochs (README of solo-learn, online linear probe).
"""

import dataclasses
from pathlib import Path

import keras

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of DINO.

    Args:
        momentum: Initial momentum of the teacher. It rises on a cosine to 1.
        teacher_temperature: Initial value, and the value from a third of the run on. The paper uses
            0.04 and 0.07. Lower values sharpen the targets, which helps when images are similar
            at first, as digits are.
        prototypes: Number of prototypes.
        frozen_epochs: Number of initial epochs in which the prototypes are frozen.
        small_crops: Number of small crops of an image, in addition to two large ones.
    """

    output: Path = Path("runs/dino")
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.99
    teacher_temperature: tuple[float, float] = (0.01, 0.01)
    prototypes: int = 256
    frozen_epochs: int = 1
    small_crops: int = 0


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.dino(image_shape[:2], small_crops=config.small_crops, flip=config.flip)
    first, last = config.teacher_temperature
    temperature = keras.optimizers.schedules.PolynomialDecay(first, max(1, total_steps // 3), last)
    model = keras_ssl.DINO(
        pretraining.encoder(config, image_shape),
        projector=(512, 512, 128),
        prototypes=config.prototypes,
        momentum=keras_ssl.schedules.CosineMomentum(config.momentum, total_steps),
        teacher_temperature=temperature,
        freeze_prototypes_steps=config.frozen_epochs * total_steps // config.epochs,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.adamw(config, total_steps, clipnorm=3.0))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
