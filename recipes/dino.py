"""DINO: Caron et al. 2021, https://arxiv.org/abs/2104.14294.

python recipes/dino.py                                       # digits, bundled
python recipes/dino.py --dataset cifar10 --output runs/cifar10

What the first one measured, and on which machine, is in RESULTS.md. Published on CIFAR-10 for a
ResNet-18, a far larger encoder than the default: 89.5 % after 1000 epochs (README of solo-learn,
online linear probe).
"""

from pathlib import Path

import keras
import tyro

import keras_ssl
from keras_ssl import views
from keras_ssl.recipes import pretraining
from keras_ssl.recipes.pretraining import Run


def main(
    epochs: int = 200,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    momentum: float = 0.99,
    teacher_temperature: tuple[float, float] = (0.01, 0.01),
    prototypes: int = 256,
    frozen_epochs: int = 1,
    small_crops: int = 0,
    run: Run = Run(Path("runs/dino")),
) -> None:
    """Trains DINO, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        momentum: Of the momentum encoder at the start; rises on a cosine to 1.
        teacher_temperature: Of the teacher, at the start and from a third of the run on. 0.04 and
            0.07 in the paper; less sharpens more, where images look alike at first, as digits.
        prototypes: How many learned directions the projections are compared with.
        frozen_epochs: Epochs in which the prototypes stay as they were drawn.
        small_crops: Small crops of each image, beside two large ones.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    own_views = views.dino(shape[:2], small_crops=small_crops, flip=run.flip)
    steps = pretraining.count_steps(train, epochs, batch_size)
    first, last = teacher_temperature
    rising = keras.optimizers.schedules.PolynomialDecay(first, max(1, steps // 3), last)

    def new_model():
        model = keras_ssl.DINO(
            pretraining.new_encoder(run, shape),
            projector=(512, 512, 128),
            prototypes=prototypes,
            momentum=keras_ssl.schedules.CosineMomentum(momentum, steps),
            teacher_temperature=rising,
            freeze_prototypes_steps=frozen_epochs * steps // epochs,
            views=own_views,
            seed=run.seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate * batch_size / 256, steps)
        model.compile(keras.optimizers.AdamW(rate, weight_decay=weight_decay, clipnorm=3.0))
        return model

    pretraining.train(
        run, settings, new_model, own_views, train, test, epochs=epochs, batch_size=batch_size
    )


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
