"""NNCLR: Dwibedi et al. 2021, https://arxiv.org/abs/2104.14548.

python recipes/nnclr.py                                      # digits, bundled
python recipes/nnclr.py --dataset cifar10 --epochs 15 --queue-size 4096 --output runs/cifar10

What the first one measured, and on which machine, is in RESULTS.md. Published on CIFAR-10 for a
ResNet-18, a far larger encoder than the default: 91.9 % after 1000 epochs (README of solo-learn,
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
    learning_rate: float = 0.12,
    weight_decay: float = 5e-4,
    temperature: float = 0.1,
    queue_size: int = 1024,
    run: Run = Run(Path("runs/nnclr")),
) -> None:
    """Trains NNCLR, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        temperature: Of the loss; smaller attends more to the hardest negatives.
        queue_size: How many past projections are kept.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    own_views = views.byol(shape[:2], flip=run.flip)
    steps = pretraining.count_steps(train, epochs, batch_size)

    def new_model():
        model = keras_ssl.NNCLR(
            pretraining.new_encoder(run, shape),
            projector=(512, 512, 256),
            predictor=(1024, 256),
            temperature=temperature,
            queue_size=queue_size,
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
