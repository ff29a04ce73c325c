"""MAE: He et al. 2021, https://arxiv.org/abs/2111.06377.

python recipes/mae.py                                        # digits, bundled
python recipes/mae.py --dataset cifar10 --encoder vit_tiny --epochs 100 \
    --output runs/mae_cifar10

RESULTS.md has figures of small encoders on Fashion-MNIST and CIFAR-10. The encoder is a vision
transformer, a small one unless `--encoder` names one of them.
"""

from pathlib import Path

import keras
import tyro

import keras_ssl
from keras_ssl import evaluation, views
from keras_ssl.recipes import pretraining
from keras_ssl.recipes.pretraining import Run


def main(
    epochs: int = 200,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
    mask_ratio: float = 0.75,
    run: Run = Run(Path("runs/mae")),
) -> None:
    """Trains MAE, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: At a batch size of 256, scaled with the batch size; rises over a tenth of the
            run and falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        mask_ratio: The share of patches that are not seen.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    shape = pretraining.image_shape(train)
    patch_size = pretraining.patch_size(run, shape)
    own_views = views.mae(shape[:2], patch_size, mask_ratio, flip=run.flip)
    steps = pretraining.count_steps(train, epochs, batch_size)
    rate = learning_rate * batch_size / 256

    def new_model():
        model = keras_ssl.MAE(
            pretraining.new_vit(run, shape, pooling="mean"),
            mask_ratio=mask_ratio,
            views=own_views,
            seed=run.seed,
        )
        warm_up = max(1, steps // 10)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warm_up, warmup_target=rate, warmup_steps=warm_up
        )
        model.compile(keras.optimizers.AdamW(schedule, weight_decay=weight_decay, beta_2=0.95))
        return model

    model = pretraining.train(
        run, settings, new_model, own_views, train, test, epochs=epochs, batch_size=batch_size
    )
    images, _ = evaluation.read_images(test, 8)
    images = images.astype("float32") / 255
    masked, painted = model.reconstruct(images, own_views[1](images, (run.seed, 0)))
    columns = [("image", images), ("seen", masked), ("painted", painted)]
    evaluation.plots.plot_images(columns, run.output / "reconstructions.png")


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
