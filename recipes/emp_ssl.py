"""EMP-SSL: Tong et al. 2023, https://arxiv.org/abs/2304.03977.

python recipes/emp_ssl.py                                    # digits, bundled
python recipes/emp_ssl.py --dataset cifar10 --epochs 2 --patch-scale 0.25 0.25 --output runs/cifar10

What the first one measured, and on which machine, is in RESULTS.md. Published on CIFAR-10 for a
ResNet-18, a far larger encoder than the default: 80.6 % linear accuracy after 1 epoch, 90.7 % after
10 (its README).
"""

from pathlib import Path

import keras
import tyro

import keras_ssl
from keras_ssl import views
from keras_ssl.recipes import pretraining
from keras_ssl.recipes.pretraining import Run


def main(
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 0.06,
    weight_decay: float = 5e-4,
    patches: int = 20,
    patch_scale: tuple[float, float] = (0.25, 1.0),
    average_patches: bool = True,
    run: Run = Run(Path("runs/emp_ssl")),
) -> None:
    """Trains EMP-SSL, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        patches: Patches of each image.
        patch_scale: Smallest and largest share of an image that a patch shows. The paper's is a
            quarter, of which 16 pixels of a digit are left: too little to tell one by.
        average_patches: Measure the mean features of the patches as well.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    own_views = views.emp_ssl(shape[:2], patches=patches, flip=run.flip, scale=patch_scale)
    steps = pretraining.count_steps(train, epochs, batch_size)

    def new_model():
        model = keras_ssl.EMPSSL(
            pretraining.new_encoder(run, shape),
            projector=(512, 256),
            views=own_views,
            seed=run.seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate * batch_size / 256, steps)
        model.compile(keras.optimizers.L2SGD(rate, momentum=0.9, weight_decay=weight_decay))
        return model

    pretraining.train(
        run,
        settings,
        new_model,
        own_views,
        train,
        test,
        epochs=epochs,
        batch_size=batch_size,
        average=own_views if average_patches else None,
    )


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
