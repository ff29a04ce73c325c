"""SimCLR: Chen et al. 2020, https://arxiv.org/abs/2002.05709.

python recipes/simclr.py                                     # digits, bundled
python recipes/simclr.py --dataset cifar10 --epochs 15 --temperature 0.2 --output runs/cifar10
python recipes/simclr.py --dataset path/to/images --image-size 64 --output runs/mine

What these commands measured, and on which machine, is in RESULTS.md. Published on CIFAR-10 for a
ResNet-18, a far larger encoder than the default: 56.5 % linear accuracy after 10 epochs (README of
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
    learning_rate: float = 0.12,
    weight_decay: float = 5e-4,
    temperature: float = 0.5,
    run: Run = Run(Path("runs/simclr")),
) -> None:
    """Trains SimCLR, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        temperature: Of the loss; smaller attends more to the hardest negatives.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    own_views = views.simclr(shape[:2], flip=run.flip)
    steps = pretraining.count_steps(train, epochs, batch_size)

    def new_model():
        model = keras_ssl.SimCLR(
            pretraining.new_encoder(run, shape),
            projector=(512, 512, 128),
            temperature=temperature,
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
