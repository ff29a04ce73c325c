"""SimSiam: Chen and He 2020, https://arxiv.org/abs/2011.10566.

python recipes/simsiam.py                                    # digits, bundled
python recipes/simsiam.py --dataset cifar10 --epochs 15 --output runs/cifar10

What the first one measured, and on which machine, is in RESULTS.md. Published on CIFAR-10 for a
ResNet-18, a far larger encoder than the default: 90.5 % after 1000 epochs (README of solo-learn,
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
    learning_rate: float = 0.3,
    weight_decay: float = 5e-4,
    constant_predictor_rate: bool = True,
    run: Run = Run(Path("runs/simsiam")),
) -> None:
    """Trains SimSiam, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        constant_predictor_rate: Leave the predictor's learning rate as it is at the start.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    own_views = views.simsiam(shape[:2], flip=run.flip)
    first_rate = learning_rate * batch_size / 256
    steps = pretraining.count_steps(train, epochs, batch_size)

    def new_model():
        model = keras_ssl.SimSiam(
            pretraining.new_encoder(run, shape),
            projector=(512, 512),
            predictor=(128, 512),
            predictor_learning_rate=first_rate if constant_predictor_rate else None,
            views=own_views,
            seed=run.seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(first_rate, steps)
        model.compile(keras.optimizers.L2SGD(rate, momentum=0.9, weight_decay=weight_decay))
        return model

    pretraining.train(
        run, settings, new_model, own_views, train, test, epochs=epochs, batch_size=batch_size
    )


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
