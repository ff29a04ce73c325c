"""DINOv2: Oquab et al. 2023, https://arxiv.org/abs/2304.07193.

python recipes/dinov2.py                                     # digits, bundled
python recipes/dinov2.py --dataset cifar10 --encoder vit_tiny --small-crops 8 \
    --epochs 100 --output runs/dinov2_cifar10

RESULTS.md has figures of small encoders on Fashion-MNIST and CIFAR-10. The encoder is a vision
transformer, a small one unless `--encoder` names one of them.
"""

from pathlib import Path
from typing import Literal

import keras
import tyro

import keras_ssl
from keras_ssl import views
from keras_ssl.recipes import pretraining
from keras_ssl.recipes.pretraining import Run


def main(
    epochs: int = 200,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.04,
    momentum: float = 0.992,
    teacher_temperature: tuple[float, float] = (0.04, 0.07),
    centering: Literal["sinkhorn", "center"] = "sinkhorn",
    prototypes: int = 256,
    frozen_epochs: int = 1,
    small_crops: int = 0,
    layer_decay: float = 1.0,
    registers: int = 1,
    run: Run = Run(Path("runs/dinov2")),
) -> None:
    """Trains DINOv2, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; rises over a tenth of the
            run and falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        momentum: Of the teacher at the start; rises on a cosine to 1.
        teacher_temperature: At the start and from a third of the run on.
        centering: How the teacher is kept from collapse.
        prototypes: How many learned directions the projections are compared with.
        frozen_epochs: Epochs in which the prototypes stay as they were drawn.
        small_crops: Small crops of each image, beside two large ones.
        layer_decay: What the learning rate falls by from each block to the one before it.
        registers: Further tokens.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    patch_size = pretraining.patch_size(run, shape)
    own_views = views.dinov2(shape[:2], patch_size, small_crops=small_crops, flip=run.flip)
    steps = pretraining.count_steps(train, epochs, batch_size)
    rate = learning_rate * batch_size / 256
    first, last = teacher_temperature
    rising = keras.optimizers.schedules.PolynomialDecay(first, max(1, steps // 3), last)

    def new_model():
        model = keras_ssl.DINOv2(
            pretraining.new_vit(run, shape, registers=registers),
            projector=(512, 512, 128),
            prototypes=prototypes,
            teacher_temperature=rising,
            centering=centering,
            momentum=keras_ssl.schedules.CosineMomentum(momentum, steps),
            layer_decay=layer_decay,
            freeze_prototypes_steps=frozen_epochs * steps // epochs,
            views=own_views,
            seed=run.seed,
        )
        warm_up = max(1, steps // 10)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warm_up, warmup_target=rate, warmup_steps=warm_up
        )
        model.compile(keras.optimizers.AdamW(schedule, weight_decay=weight_decay, clipnorm=3.0))
        return model

    pretraining.train(
        run, settings, new_model, own_views, train, test, epochs=epochs, batch_size=batch_size
    )


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
