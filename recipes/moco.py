"""MoCo: version 2, Chen et al. 2020, https://arxiv.org/abs/2003.04297; version 3,
Chen et al. 2021, https://arxiv.org/abs/2104.02057.

python recipes/moco.py                                       # digits, bundled
python recipes/moco.py --dataset cifar10 --epochs 15 --queue-size 4096 --output runs/cifar10

What the first one measured, and on which machine, is in RESULTS.md. Published on CIFAR-10 for a
ResNet-18, a far larger encoder than the default: 92.9 % (version 2) and 93.1 % (version 3) after
1000 epochs (README of solo-learn, online linear probe).
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
    learning_rate: float = 0.12,
    weight_decay: float = 5e-4,
    temperature: float = 0.2,
    momentum: float = 0.99,
    version: Literal[2, 3] = 2,
    queue_size: int = 1024,
    run: Run = Run(Path("runs/moco")),
) -> None:
    """Trains MoCo, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        temperature: Of the loss; smaller attends more to the hardest negatives.
        momentum: Of the momentum encoder.
        version: 2 with a queue, 3 without.
        queue_size: How many past keys version 2 keeps.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    own_views = (views.simsiam if version == 2 else views.byol)(shape[:2], flip=run.flip)
    steps = pretraining.count_steps(train, epochs, batch_size)

    def new_model():
        model = keras_ssl.MoCo(
            pretraining.new_encoder(run, shape),
            version=version,
            projector=(512, 128),
            temperature=temperature,
            momentum=momentum,
            queue_size=queue_size if version == 2 else None,
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
