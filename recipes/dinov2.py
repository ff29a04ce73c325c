"""DINOv2 (Oquab et al. 2023, https://arxiv.org/abs/2304.07193).

    python recipes/dinov2.py                                # bundled digits
    python recipes/dinov2.py --dataset cifar10 --encoder vit_tiny --small-crops 8 \
        --epochs 100 --output runs/dinov2_cifar10

Results of small encoders on Fashion-MNIST and CIFAR-10: RESULTS.md. The encoder is a vision
transformer, a small one unless `--encoder` names one of them.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import keras

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of DINOv2.

    Args:
        learning_rate: Peak learning rate at a batch size of 256, after a tenth of the run. It
            scales with the batch size.
        momentum: Initial momentum of the teacher. It rises on a cosine to 1.
        teacher_temperature: Initial value, and the value from a third of the run on.
        centering: How the teacher avoids collapse.
        prototypes: Number of prototypes.
        frozen_epochs: Number of initial epochs in which the prototypes are frozen.
        small_crops: Number of small crops of an image, in addition to two large ones.
        layer_decay: Factor of the learning rate from each block to the block before it.
        registers: Number of register tokens.
    """

    output: Path = Path("runs/dinov2")
    learning_rate: float = 2e-3
    weight_decay: float = 0.04
    momentum: float = 0.992
    teacher_temperature: tuple[float, float] = (0.04, 0.07)
    centering: Literal["sinkhorn_knopp", "running_mean"] = "sinkhorn_knopp"
    prototypes: int = 256
    frozen_epochs: int = 1
    small_crops: int = 0
    layer_decay: float = 1.0
    registers: int = 1


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.dinov2(
        image_shape[:2],
        pretraining.patch_size(config, image_shape),
        small_crops=config.small_crops,
        flip=config.flip,
    )
    first, last = config.teacher_temperature
    temperature = keras.optimizers.schedules.PolynomialDecay(first, max(1, total_steps // 3), last)
    model = keras_ssl.DINOv2(
        pretraining.vit(config, image_shape, registers=config.registers),
        projector=(512, 512, 128),
        prototypes=config.prototypes,
        teacher_temperature=temperature,
        centering=config.centering,
        momentum=keras_ssl.schedules.CosineMomentum(config.momentum, total_steps),
        layer_decay=config.layer_decay,
        freeze_prototypes_steps=config.frozen_epochs * total_steps // config.epochs,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.adamw(config, total_steps, warmup=True, clipnorm=3.0))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
