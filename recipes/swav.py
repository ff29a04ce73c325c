"""SwAV: Caron et al. 2020, https://arxiv.org/abs/2006.09882.

python recipes/swav.py                                       # digits, bundled
python recipes/swav.py --dataset cifar10 --epochs 15 --prototypes 512 --output runs/cifar10

What the first one measured, and on which machine, is in RESULTS.md. Published on CIFAR-10 for a
ResNet-18, a far larger encoder than the default: 53.2 % linear accuracy after 10 epochs (README of
EMP-SSL, Tong et al. 2023, https://arxiv.org/abs/2304.03977).
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
    learning_rate: float = 0.5,
    weight_decay: float = 1e-6,
    temperature: float = 0.1,
    epsilon: float = 0.02,
    prototypes: int = 64,
    frozen_epochs: int = 1,
    small_crops: int = 0,
    run: Run = Run(Path("runs/swav")),
) -> None:
    """Trains SwAV, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        temperature: Of the predictions; smaller makes them more definite.
        epsilon: Of the assignments; smaller makes them more definite, and less likely to collapse.
        prototypes: How many learned directions the projections are compared with.
        frozen_epochs: Epochs in which the prototypes stay as they were drawn.
        small_crops: Small crops of each image, beside two large ones.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    own_views = views.swav(shape[:2], small_crops=small_crops, flip=run.flip)
    steps = pretraining.count_steps(train, epochs, batch_size)

    def new_model():
        model = keras_ssl.SwAV(
            pretraining.new_encoder(run, shape),
            projector=(512, 128),
            prototypes=prototypes,
            temperature=temperature,
            epsilon=epsilon,
            freeze_prototypes_steps=frozen_epochs * steps // epochs,
            views=own_views,
            seed=run.seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate * batch_size / 256, steps)
        model.compile(keras.optimizers.L2SGD(rate, momentum=0.9, weight_decay=weight_decay))
        return model

    pretraining.train(
        run, settings, new_model, own_views, train, test, epochs=epochs, batch_size=batch_size
    )


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
