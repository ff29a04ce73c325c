"""Barlow Twins: Zbontar et al. 2021, https://arxiv.org/abs/2103.03230.

python recipes/barlow_twins.py                               # digits, bundled
python recipes/barlow_twins.py --dataset cifar10 --epochs 15 --output runs/cifar10

What the first one measured, and on which machine, is in RESULTS.md. Published on CIFAR-10 for a
ResNet-18, a far larger encoder than the default: 92.1 % after 1000 epochs (README of solo-learn,
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
    redundancy_weight: float = 0.0051,
    run: Run = Run(Path("runs/barlow_twins")),
) -> None:
    """Trains Barlow Twins, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        redundancy_weight: Of the correlations off the diagonal, the paper's lambda.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    own_views = views.barlow_twins(shape[:2], flip=run.flip)
    steps = pretraining.count_steps(train, epochs, batch_size)

    def new_model():
        model = keras_ssl.BarlowTwins(
            pretraining.new_encoder(run, shape),
            projector=(512, 512, 512),
            redundancy_weight=redundancy_weight,
            views=own_views,
            seed=run.seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate * batch_size / 256, steps)
        model.compile(keras.optimizers.AdamW(rate, weight_decay=weight_decay))
        return model

    pretraining.train(
        run, settings, new_model, own_views, train, test, epochs=epochs, batch_size=batch_size
    )


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
